/** Whether the VMs of a host can only be had by those they belong to, as a condition of the host. Pure. */
import type { ConditionInput } from '../../api/v1alpha1/conditions.ts';
import type { HypervisorHost } from '../../api/v1alpha1/hypervisor-host.ts';
import type { HostReason } from '../../api/v1alpha1/reasons.ts';
import type { HostAnswer } from '../../host/errors.ts';
import type { HostFacts } from '../../host/port.ts';
import type { LabelledResource } from '../../runtime/resources.ts';
import { judgeHostUse } from '../shared/entitlement.ts';

export const ownersNamedCondition = 'OwnersNamed';

const reserve = 'reserve each for its namespace with the owner element of docs/operations.md';

/**
 * False where VMs without an owner run on a host that several namespaces may use, whoever names one first having it,
 * and where such VMs are refused. Numbers only: whose VMs there are is nobody's business but the host's admin's.
 */
export function computeOwnersCondition(
  { spec }: Pick<HypervisorHost, 'spec'>,
  answer: HostAnswer<Pick<HostFacts, 'virtualMachinesWithoutOwner'>>,
  namespaces: readonly LabelledResource[],
): ConditionInput {
  const type = ownersNamedCondition;
  const count = answer.ok ? answer.value.virtualMachinesWithoutOwner : null;
  if (count === null) {
    const message = answer.ok ? "the agent is older than the controller and doesn't say" : '';
    return { type, status: 'Unknown', reason: 'NotObserved', message };
  }
  if (count === 0) return { type, status: 'True', reason: 'AsExpected', message: '' };
  const vms = count === 1 ? '1 running VM has no owner' : `${count} running VMs have no owner`;
  if (spec.requireOwner === true) {
    const message = `${vms}, so nobody may have them (spec.requireOwner): ${reserve}`;
    return { type, status: 'False', reason: 'OwnerRequired' satisfies HostReason, message };
  }
  const users = namespaces.filter(
    ({ metadata }) => judgeHostUse(spec.allowedNamespaces, metadata.labels ?? {}) === 'entitled',
  ).length;
  if (users <= 1) {
    return { type, status: 'True', reason: 'OneNamespace', message: `${vms}; one namespace at most may use the host` };
  }
  const message =
    `${vms}, and ${users} namespaces may use this host: each VM is had by the first that asks for it; ` +
    `${reserve}, or set spec.requireOwner`;
  return { type, status: 'False', reason: 'VMsWithoutOwner' satisfies HostReason, message };
}
