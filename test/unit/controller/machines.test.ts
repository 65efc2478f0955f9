/** Machines as people have them, through the whole controller: other devices, pages by node, limits, rounding. */
import { afterEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemorySpec } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

async function start(spec: Partial<SimulatedDomainSpec>): Promise<void> {
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(2), ...spec }]);
}
const changes = (): readonly string[] =>
  bench
    .host()
    .script.changes()
    .map(({ what, size }) => `${what} ${size / mib(1)}`);
/** Applies the spec, and what the guest has once that is told. */
async function has(spec: Partial<VirtualMachineMemorySpec>, reason: string): Promise<string | undefined> {
  bench.apply(spec);
  await bench.reaches(reason);
  return bench.status().memory?.current;
}

describe('virtio-mem', () => {
  const elastic = { modules: [{ size: gib(2) }], otherBytes: gib(4), otherTotal: gib(4) };

  it('a guest of 8 GiB that should have 6 GiB gives its module back; it is not given 2 GiB more', async () => {
    await start(elastic);
    expect(await has({ memory: '6Gi' }, 'Converged')).toBe('6Gi');
    expect(changes()).toEqual(['asked 2048', 'removed 2048']);
  });

  it('one that should have less than it and boot memory is told that, not that it has it', async () => {
    await start(elastic);
    expect(await has({ memory: '2560Mi' }, 'UnreachableSize')).toBe('8Gi');
    expect(bench.condition('Ready')?.message).toContain('4Gi of other memory devices stays');
    expect(changes()).toEqual([]);
  });
});

it('preallocated memory comes in pieces of at most 1 GiB, one after the other', async () => {
  await start({ backings: [{ nodes: [0], pageSize: null, preallocated: true, hostNodes: null }] });
  await has({ memory: '5Gi' }, 'Converged');
  const plugs = bench.host().script.changes();
  expect(plugs.map(({ size }) => size)).toEqual([gib(1), gib(1), gib(1)]);
  expect(new Set(plugs.map(({ atMs }) => atMs)).size).toBe(3);
});

it('past the hard_limit of the domain nothing is plugged, and it is named', async () => {
  await start({ hardLimit: gib(3) });
  expect(await has({ memory: '3Gi' }, 'ExceedsHardLimit')).toBe('2Gi');
  expect(bench.condition('Stalled')?.status).toBe('True');
  expect(bench.condition('Ready')?.message).toContain('hard_limit of 3Gi');
  expect(await has({ memory: '2560Mi' }, 'Converged')).toBe('2560Mi');
});

it('nor huge pages that a device has pinned, which it does not hold otherwise', async () => {
  const huge = { hardLimit: gib(3), pageSize: mib(2) };
  await start({ ...huge, pinned: true });
  expect(await has({ memory: '3Gi' }, 'ExceedsHardLimit')).toBe('2Gi');
  expect(bench.condition('Ready')?.message).toContain('pinned for a device');
  expect(bench.status().planning?.hardLimit?.pinned).toBe(true);
  await bench.close();
  await start(huge);
  expect(await has({ memory: '3Gi' }, 'HugepagesUnavailable')).toBe('2Gi');
});

it('memory bound to a host node that has none left is not promised by the others', async () => {
  await start({ backings: [{ nodes: [0], pageSize: null, preallocated: false, hostNodes: [7] }] });
  expect(await has({ memory: '3Gi' }, 'InsufficientHostMemory')).toBe('2Gi');
  expect(bench.condition('Ready')?.message).toContain('node 7, which <numatune> binds the memory to');
});

describe('rounding', () => {
  const odd = { boot: mib(3907) };

  it('Exact says what Up would make of it', async () => {
    await start(odd);
    expect(await has({ memory: '4Gi' }, 'Misaligned')).toBe('3907Mi');
    expect(bench.condition('Ready')?.message).toContain('rounding Up makes it 4163Mi');
  });

  it('Up reaches the same size from below and from above, and is then at rest', async () => {
    await start(odd);
    const wish = { memory: '4Gi', rounding: 'Up' } as const;
    expect(await has(wish, 'ConvergedNearest')).toBe('4163Mi');
    expect(await has({ memory: '4931Mi', rounding: 'Up' }, 'Converged')).toBe('4931Mi');
    expect(await has(wish, 'ConvergedNearest')).toBe('4163Mi');
    expect(bench.condition('Ready')?.status).toBe('True');
    const settled = changes().length;
    await bench.clock.advance(600_000);
    expect(changes()).toHaveLength(settled);
    expect(bench.reason()).toBe('ConvergedNearest');
  });
});

describe('kinds of machines that can not be staged here', () => {
  const confidential = 'The guest is confidential (<launchSecurity>)';
  const onS390x = 'Machine s390-ccw-virtio-7.2 of s390x takes no memory modules';

  it.each([
    ['a confidential guest (SEV)', { hotplugProblem: confidential }, confidential],
    ['s390x', { architecture: 's390x', hotplugProblem: onS390x }, onS390x],
    ['aarch64 without UEFI', { architecture: 'aarch64', hotplugProblem: 'no <acpi/>' }, 'no <acpi/>'],
  ])('%s is told why, nothing is tried, and what it has is Ready', async (_kind, domain, why) => {
    await start(domain);
    expect(await has({ memory: '3Gi' }, 'HotplugUnsupported')).toBe('2Gi');
    expect(bench.condition('Ready')?.message).toBe(why);
    expect(bench.condition('PlanFeasible')).toMatchObject({ status: 'False', reason: 'HotplugUnsupported' });
    expect(bench.status()).toMatchObject({ plan: { decision: 'Blocked' }, planning: { hotplugProblem: why } });
    expect(bench.status().reachable?.above).toBeUndefined();
    expect(bench.host().script.calls().plug).toBe(0);
    await has({ memory: '2Gi' }, 'Converged');
  });

  it('ppc64le grows and shrinks in its own blocks of 256 MiB', async () => {
    await start({ architecture: 'ppc64le' });
    await has({ memory: '2176Mi' }, 'Misaligned');
    await has({ memory: '2304Mi' }, 'Converged');
    await has({ memory: '2Gi' }, 'Converged');
    expect(changes()).toEqual(['plugged 256', 'asked 256', 'removed 256']);
  });
});
