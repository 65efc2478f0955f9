/** The condition HotplugReady: told before the first resize, and gone when its cause is gone (docs/adr/0047). */
import { afterEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemorySpec } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/model.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

/** A resource that wants nothing yet, or what `wish` says. */
async function start(domain: Partial<SimulatedDomainSpec> = {}, wish: Partial<VirtualMachineMemorySpec> = {}) {
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1), maxMemory: gib(16), ...domain }]);
  bench.apply(wish);
  await bench.reaches(wish.memory === undefined ? 'ObserveOnly' : 'Converged');
  return bench.host().script;
}
const said = () => {
  const { status, reason, message } = bench.condition('HotplugReady') ?? {};
  return { told: `${status ?? 'absent'} ${reason ?? ''}`, message };
};
/** Lets time pass until it says so. */
const becomes = (told: string) => bench.clock.until(told, () => said().told === told, 700_000);

describe('a VM that nothing is wanted of yet', () => {
  it('is ready, without a word', async () => {
    await start();
    expect(said()).toEqual({ told: 'True AsExpected', message: '' });
  });

  it.each<[string, Partial<SimulatedDomainSpec>, string, RegExp]>([
    ['has no maximum', { maxMemory: null }, 'False HotplugUnsupported', /<maxMemory>/],
    ['can take none', { hotplugProblem: 'ACPI is off: add <acpi/>' }, 'False HotplugUnsupported', /^ACPI is off/],
    ['has its maximum', { maxMemory: gib(1) }, 'False ExceedsMaxMemory', /^it has its maximum of 1Gi already: raise/],
    ['has no slot left', { slots: 2, slotsUsedByOthers: [0, 1] }, 'False SlotsExhausted', /^all 2 slots are in use/],
    ['never reports', { reports: false }, 'Unknown GuestMemoryUnknown', /memballoon model="virtio".*virtio_balloon/],
    ['has little boot memory', { maxMemory: gib(64) }, 'True AsExpected', /^it will get at most 16Gi of its maximum/],
  ])('and that %s is told so', async (_, domain, told, message) => {
    await start(domain);
    await becomes(told);
    expect(said().message).toMatch(message);
  });

  it('is not known yet while it boots', async () => {
    const script = await start();
    script.reset(vmUuid);
    await becomes('Unknown GuestBooting');
    await becomes('True AsExpected');
  });

  it('is not known while it stands still, nor while it is off', async () => {
    const script = await start();
    script.pause(vmUuid);
    script.emit({ kind: 'lifecycle', uuid: vmUuid });
    await becomes('Unknown GuestSuspended');
    script.resume(vmUuid);
    script.emit({ kind: 'lifecycle', uuid: vmUuid });
    await becomes('True AsExpected');
    script.shutDown(vmUuid);
    await becomes('Unknown NotObserved');
    script.start(vmUuid);
    await becomes('True AsExpected');
  });
});

describe('what became of modules', () => {
  it('that the guest never took up is told with what to do in it, and no longer when it has them', async () => {
    const script = await start();
    script.setOnlines(vmUuid, false);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('WaitingForGuest');
    // It may take a minute for it.
    expect(said().told).toBe('True AsExpected');
    await becomes('False GuestNotOnlined');
    expect(said().message).toMatch(/not onlined 1Gi.*chmem -e.*memhp_default_state=online/);
    script.onlineAll(vmUuid);
    await becomes('True AsExpected');
  });

  it('and that were there before anybody looked is told though nothing is wanted', async () => {
    const script = await start({ modules: [{ size: gib(1) }] });
    script.setOnlines(vmUuid, false);
    script.reset(vmUuid);
    script.restartAgent();
    await becomes('False GuestNotOnlined');
    expect(said().message).toMatch(/its own total is 983Mi/);
  });

  it('that the guest refused is told with how often and when', async () => {
    const script = await start({ modules: [{ size: mib(512) }] }, { memory: '1536Mi' });
    script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestRefused');
    await becomes('True GuestRefused');
    expect(said().message).toMatch(/^the guest has refused to give up ua-dimmer-0 \(once, last at 20.*movable_node/);
    script.setUnplugBehaviour(vmUuid, 'all', 'accept');
    await bench.reaches('Converged');
    expect(said()).toEqual({ told: 'True AsExpected', message: '' });
  });
});

it('writes nothing while nothing changes', async () => {
  const script = await start({ maxMemory: gib(64), modules: [{ size: mib(512) }] });
  const before = bench.resources.get('tenants/vm')?.metadata.resourceVersion;
  for (let step = 0; step < 60; step += 1) {
    script.setUsed(vmUuid, mib(64 + step));
    await bench.clock.advance(60_000);
  }
  expect(bench.resources.get('tenants/vm')?.metadata.resourceVersion).toBe(before);
});
