/** Two tenants and one VM, on a real API server: who may not have it blocks nobody, changes nothing and learns nothing. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { HypervisorHost } from '../../src/api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { pathOf } from '../lab/api-client.ts';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { setOwner } from '../lab/owner.ts';
import { hostName, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';

type Tenant = 'tenants' | 'rivals';

await describeLab('tenants', () => {
  let stack: Stack;
  let guest: LabGuest;
  beforeAll(async () => {
    const lab = await startLab({ controlPlane: 'shared', guests: [{ kind: 'accepting', name: 'db-1' }] });
    stack = await startStack(lab);
    guest = lab.guest('accepting');
    const { kubectlOk } = lab.controlPlane;
    await kubectlOk(['create', 'namespace', 'rivals']);
    for (const tenant of ['tenants', 'rivals']) {
      for (const role of ['dimmer-view', 'dimmer-edit']) {
        const binding = [`${role}-of-users`, `--clusterrole=${role}`, `--user=user-of-${tenant}`];
        await kubectlOk(['create', 'rolebinding', ...binding, `--namespace=${tenant}`]);
      }
    }
    const gold = { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } };
    await changeHost({ allowedNamespaces: gold });
    await label('tenants', 'tier=gold');
  });
  afterAll(() => stack.stop());

  const kubectlOk = (...args: string[]) => stack.lab.controlPlane.kubectlOk(args);
  const changeHost = (spec: object) => stack.lab.controlPlane.api.merge(pathOf('hvh', hostName), { spec });
  const label = (tenant: Tenant, change: string) => kubectlOk('label', 'namespace', tenant, change);

  /** `kubectl apply` by a user with the product's own roles in the namespace, and no other rights. */
  async function apply(tenant: Tenant, name: string, memory: string, spec: object = {}): Promise<void> {
    const manifest = {
      apiVersion: 'dimmer.dev/v1alpha1',
      kind: 'VirtualMachineMemory',
      metadata: { name, namespace: tenant },
      spec: { virtualMachine: { uuid: guest.uuid }, memory, growPolicy: 'Whole', ...spec },
    };
    await stack.lab.controlPlane.kubectlOk(['apply', '-f', '-', `--as=user-of-${tenant}`], {
      input: JSON.stringify(manifest),
    });
  }
  const read = async (tenant: Tenant, name: string): Promise<VirtualMachineMemory> =>
    (await stack.lab.controlPlane.api.read(pathOf('vmmem', name, tenant), {
      as: `user-of-${tenant}`,
    })) as VirtualMachineMemory;
  /** Waits for a reason of the newest generation. */
  async function reaches(tenant: Tenant, name: string, reason: string, timeoutMs = 20_000) {
    let last = '';
    return waitFor(
      async () => {
        const object = await read(tenant, name);
        const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
        last = `${ready?.reason ?? 'nothing'}: ${ready?.message ?? ''}`;
        const isCurrent = object.status?.observedGeneration === object.metadata.generation;
        return ready?.reason === reason && isCurrent ? object : undefined;
      },
      { what: `${tenant}/${name} to say ${reason}`, timeoutMs, intervalMs: 100, details: () => last },
    );
  }
  const claim = () =>
    stack.lab.hypervisor.virshOk(['metadata', guest.uuid, 'https://dimmer.dev/xmlns/state/1', '--live']);
  /** All that a tenant can read of its objects and what happened to them. */
  const saidTo = async (tenant: Tenant) =>
    await kubectlOk('get', 'vmmem,events.events.k8s.io', '-o', 'json', `--namespace=${tenant}`);

  it('a rival from a namespace that may use no host blocks nobody, with an older resource of any kind', async () => {
    await apply('rivals', 'by-uuid', '8Gi');
    await apply('rivals', 'by-name', '8Gi', { virtualMachine: { name: 'db-1' }, hostRef: { name: hostName } });
    await reaches('rivals', 'by-uuid', 'VMNotFoundOrNotAllowed');
    await reaches('rivals', 'by-name', 'HostUnknown');
    // Creation is told in whole seconds.
    const { creationTimestamp } = (await read('rivals', 'by-name')).metadata;
    await waitFor(() => Promise.resolve(Date.now() >= Date.parse(creationTimestamp) + 1_000), {
      what: 'a second to pass',
      timeoutMs: 5_000,
    });
    await apply('tenants', 'db-1', '640Mi');
    await reaches('tenants', 'db-1', 'Converged');
    await kubectlOk('delete', 'vmmem', 'db-1', '--namespace=tenants', '--as=user-of-tenants');
    await apply('tenants', 'db-1', '768Mi');
    await reaches('tenants', 'db-1', 'Converged');
    const { uid } = (await read('tenants', 'db-1')).metadata;
    expect(await claim()).toContain(uid);
    expect(await saidTo('rivals')).not.toMatch(new RegExp(`tenants|${uid}`));
  });

  it('a namespace that loses its right loses the VM to the one that has it', async () => {
    await kubectlOk('delete', 'vmmem', 'by-name', '--namespace=rivals', '--as=user-of-rivals');
    await apply('rivals', 'by-uuid', '896Mi');
    // Both may have it now, and the older one does.
    await label('rivals', 'tier=gold');
    await reaches('rivals', 'by-uuid', 'Converged');
    const duplicate = await reaches('tenants', 'db-1', 'DuplicateClaim');
    expect(JSON.stringify(duplicate.status)).not.toMatch(/rivals|by-uuid/);
    expect(await claim()).toContain('namespace="rivals"');

    await label('rivals', 'tier-');
    await reaches('rivals', 'by-uuid', 'VMNotFoundOrNotAllowed');
    await apply('tenants', 'db-1', '1Gi');
    const { metadata } = await reaches('tenants', 'db-1', 'Converged');
    expect(await claim()).toContain(
      `objectUid="${metadata.uid}" namespace="tenants" generation="${metadata.generation}"`,
    );
    // The former wishes on, in vain.
    await apply('rivals', 'by-uuid', '2Gi');
    await reaches('rivals', 'by-uuid', 'VMNotFoundOrNotAllowed');
    expect((await read('tenants', 'db-1')).status?.memory?.current).toBe('1Gi');
    // Nor does whoever may scrape the controller learn names: namespaces stand in their sums of memory alone.
    const metrics = (await (await fetch(stack.metricsUrl)).text()).split('\n');
    const sums = /^dimmer_memory_(wanted|current)_bytes\{namespace="(tenants|rivals)"\} \d+$/;
    expect(metrics.filter((line) => sums.test(line))).toHaveLength(4);
    expect(metrics.filter((line) => !sums.test(line)).join('\n')).not.toMatch(/tenants|rivals|by-uuid|db-1/);
    expect(await claim()).toContain('namespace="tenants"');
  });

  it("a VM that its host's admin reserves goes over to its owner at once", async () => {
    await setOwner(stack.lab.hypervisor, guest.uuid, 'tenants');
    await label('rivals', 'tier=gold');
    // The rival is the older one, and may use the host.
    await reaches('rivals', 'by-uuid', 'VMNotFoundOrNotAllowed');
    await apply('tenants', 'db-1', '1152Mi');
    await reaches('tenants', 'db-1', 'Converged');
    await setOwner(stack.lab.hypervisor, guest.uuid, 'rivals');
    await reaches('tenants', 'db-1', 'VMNotFoundOrNotAllowed', 10_000);
    const { metadata } = await reaches('rivals', 'by-uuid', 'Converged', 30_000);
    expect(await claim()).toContain(metadata.uid);
    await setOwner(stack.lab.hypervisor, guest.uuid, 'tenants');
    await reaches('rivals', 'by-uuid', 'VMNotFoundOrNotAllowed', 10_000);
  });

  it('a host that requires owners refuses a VM without one, and says so', async () => {
    const owners = async (reason: string) =>
      waitFor(
        async () => {
          const { status } = (await stack.lab.controlPlane.api.read(pathOf('hvh', hostName))) as HypervisorHost;
          const condition = status?.conditions?.find(({ type }) => type === 'OwnersNamed');
          return condition?.reason === reason ? condition : undefined;
        },
        { what: `${hostName} to say ${reason}`, timeoutMs: 45_000, intervalMs: 200 },
      );
    await setOwner(stack.lab.hypervisor, guest.uuid, null);
    expect(await owners('VMsWithoutOwner')).toMatchObject({ status: 'False' });
    await changeHost({ requireOwner: true });
    await reaches('tenants', 'db-1', 'VMNotFoundOrNotAllowed', 10_000);
    await reaches('rivals', 'by-uuid', 'VMNotFoundOrNotAllowed', 10_000);
    expect(await owners('OwnerRequired')).toMatchObject({ status: 'False' });
    await setOwner(stack.lab.hypervisor, guest.uuid, 'tenants');
    await reaches('tenants', 'db-1', 'Converged', 30_000);
    // A host is asked every half minute; a change of its spec asks at once.
    await changeHost({ maxConcurrentOperations: 5 });
    await owners('AsExpected');
  });
});
