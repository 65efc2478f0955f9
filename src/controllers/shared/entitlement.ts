/**
 * Who may have a virtual machine: the hosts that are open to a namespace, and the owner that a host's admin has named
 * for the machine. Pure. Whoever isn't entitled owns nothing, blocks nobody and is told nothing (docs/adr/0016).
 */
import type { AllowedNamespaces, HypervisorHostSpec } from '../../api/v1alpha1/hypervisor-host.ts';
import { isNamespaceAllowed } from '../../api/v1alpha1/selector.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { DomainObservation } from '../../host/port.ts';

/** Labels of a namespace; undefined: it isn't known (yet). */
export type NamespaceLabels = Readonly<Record<string, string>> | undefined;

/** `unknown`: it can't be told before more is known. Nothing changes hands until then. */
export type Entitlement = 'entitled' | 'refused' | 'unknown';

/** A virtual machine in its place, as far as entitlement goes. */
export type Placed = {
  readonly hostName: string;
  readonly host: Pick<HypervisorHostSpec, 'allowedNamespaces' | 'requireOwner'>;
  readonly observation: Pick<DomainObservation, 'uuid' | 'name' | 'ownerNamespace'>;
};

/** Whether a namespace may use a host. A selector can forbid labels too, so labels that aren't known allow nothing. */
export function judgeHostUse(allowed: AllowedNamespaces, labels: NamespaceLabels): Entitlement {
  if (labels === undefined) return allowed.from === 'Selector' ? 'unknown' : judgeHostUse(allowed, {});
  return isNamespaceAllowed(allowed, labels) ? 'entitled' : 'refused';
}

/** Whether the machine is `namespace`'s as far as its owner element says; without one it is anybody's, unless the host wants one. */
export function isOpenTo(namespace: string, { host, observation }: Omit<Placed, 'hostName'>): boolean {
  return observation.ownerNamespace === null ? host.requireOwner !== true : observation.ownerNamespace === namespace;
}

/**
 * Whether a resource speaks of this machine in this place. One whose `hostRef` names another host doesn't, nor one
 * that found another machine under the name before.
 */
function speaksOf({ spec, status }: VirtualMachineMemory, { hostName, observation }: Placed): boolean {
  const { uuid, name } = spec.virtualMachine;
  if (uuid !== undefined) return uuid === observation.uuid && (spec.hostRef?.name ?? hostName) === hostName;
  const pinned = status?.virtualMachine?.uuid ?? observation.uuid;
  return name === observation.name && spec.hostRef?.name === hostName && pinned === observation.uuid;
}

/** Whether `resource` may have the machine, age aside. */
export function judgeEntitlement(resource: VirtualMachineMemory, placed: Placed, labels: NamespaceLabels): Entitlement {
  if (!speaksOf(resource, placed) || !isOpenTo(resource.metadata.namespace, placed)) return 'refused';
  return judgeHostUse(placed.host.allowedNamespaces, labels);
}
