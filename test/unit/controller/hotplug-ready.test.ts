/** The condition HotplugReady: told before the first resize, and gone when its cause is gone (docs/adr/0047). */
import { afterEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemorySpec } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
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

const mute = 'Unknown GuestMemoryUnknown';

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
    ['has no balloon', { reports: false, balloonDevice: 'None' }, mute, /^it has no memory balloon.*<memballoon/],
    [
      'has its statistics off',
      { reports: false, balloonDevice: 'StatisticsOff' },
      mute,
      /^its memory statistics are off/,
    ],
    ['has no driver', { reports: false }, mute, /^its guest does not report its memory.*virtio_balloon/],
    [
      'runs Windows',
      { guestSystem: 'Windows' },
      'True AsExpected',
      /^by its definition it runs Windows, which never gives/,
    ],
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

  it('that never says anything is looked at again when it should have booted, though nothing tells of that', async () => {
    const script = await start({ reports: false });
    script.reset(vmUuid);
    await becomes('Unknown GuestBooting');
    await bench.clock.until('it is told', () => said().told === mute, 100_000);
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
    expect(said().message).toMatch(
      /not onlined 1Gi.*auto_online_blocks is probably offline.*chmem -e.*memhp_default_state=online/,
    );
    script.onlineAll(vmUuid);
    await becomes('True AsExpected');
    expect(said().message).toBe('');
  });

  it('that it never took up is remembered with how often and when, until it takes some up or is started anew', async () => {
    const script = await start();
    script.setOnlines(vmUuid, false);
    for (const times of [1, 2]) {
      bench.apply({ memory: '2Gi' });
      await becomes('False GuestNotOnlined');
      expect(bench.status().notOnlined).toEqual({ times, lastAt: expect.stringMatching(/^20/) as string });
      bench.apply({ memory: '1Gi' });
      await bench.reaches('Converged');
    }
    expect(said().told).toBe('True GuestNotOnlined');
    expect(said().message).toMatch(
      /^what was plugged has not been onlined by the guest \(2 times, last at 20.*auto_online_blocks/,
    );
    script.setOnlines(vmUuid, true);
    bench.apply({ memory: '2Gi' });
    await becomes('True AsExpected');
    expect([said().message, bench.status().notOnlined]).toEqual(['', undefined]);
    script.setOnlines(vmUuid, false);
    bench.apply({ memory: '3Gi' });
    await becomes('False GuestNotOnlined');
    script.shutDown(vmUuid);
    await becomes('Unknown NotObserved');
    script.setOnlines(vmUuid, true);
    script.start(vmUuid);
    await becomes('True AsExpected');
    expect(bench.status().notOnlined).toBeUndefined();
  });

  it('is told in the words of the agent in the guest where that is asked, and by it alone nothing is decided', async () => {
    const block = mib(128);
    const script = await start(
      { modules: [{ size: gib(1) }], reports: false },
      { memory: '2Gi', guestSafety: 'BestEffort' },
    );
    await becomes('Unknown GuestMemoryUnknown');
    script.setGuestAgent(vmUuid, { blocks: null, problem: 'Silent' });
    await bench.clock.until('it is told', () => said().message?.includes('guest agent does not answer') === true);
    script.setGuestAgent(vmUuid, { blocks: { size: block, online: 13, offline: 3 }, problem: null });
    await becomes('False GuestNotOnlined');
    expect(said().message).toMatch(/^its QEMU guest agent says that 3 blocks of 128Mi are offline: online it there/);
    expect(bench.condition('Ready')?.reason).toBe('Converged');
    script.setGuestAgent(vmUuid, { blocks: { size: block, online: 16, offline: 0 }, problem: null });
    await becomes('Unknown GuestMemoryUnknown');
    expect(said().message).not.toContain('agent');
    // Nor does its word make up for what the guest itself doesn't say.
    bench.apply({ memory: '1Gi', guestSafety: 'Required' });
    await bench.reaches('GuestMemoryUnknown');
    expect(script.total(vmUuid)).toBe(gib(2));
  });

  it('that its agent knows nothing of is not for want of onlining', async () => {
    const script = await start();
    script.setOnlines(vmUuid, false);
    script.setGuestAgent(vmUuid, { blocks: { size: mib(128), online: 8, offline: 0 }, problem: null });
    bench.apply({ memory: '2Gi' });
    await becomes('False GuestNotOnlined');
    expect(said().message).toMatch(/knows of no block that is offline: its kernel has not added the memory.*dmesg/);
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

it('tells in its planning how far it can grow and shrink', async () => {
  const reach = () => bench.status().planning?.reach;
  await start({ maxMemory: gib(8) });
  const small = { step: '128Mi', smallest: '1Gi' };
  expect(reach()).toEqual({ ...small, largest: '8Gi', limitedBy: 'MaxMemory', shrinks: 'NothingPlugged' });
  await bench.close();
  await start({ maxMemory: gib(64), modules: [{ size: gib(1) }] });
  expect(reach()).toEqual({ ...small, largest: '16Gi', limitedBy: 'BootMemory', shrinks: 'AsAsked' });
  await bench.close();
  await start({ slots: 1, modules: [{ size: gib(1) }], guestSystem: 'Windows' });
  expect(reach()).toEqual({ ...small, largest: '2Gi', limitedBy: 'Slots', shrinks: 'Never' });
});

describe('a growth in stages', () => {
  it('shows them, and goes on as the guest onlines one after the other', async () => {
    const script = await start({ used: mib(900) });
    bench.apply({ memory: '13Gi' });
    await bench.clock.until('the first is there', () => script.total(vmUuid) > gib(1));
    await bench.reaches('Converged', 'vm', 300_000);
    const before = script.changes().filter(({ what }) => what === 'plugged');
    expect(before[0]?.size).toBeLessThanOrEqual(gib(2));
    expect(script.total(vmUuid)).toBe(gib(13));
  });

  it('that the guest leaves offline is called out, and the next is not plugged before', async () => {
    const script = await start({ used: mib(900) });
    script.setOnlines(vmUuid, false);
    bench.apply({ memory: '13Gi' });
    await bench.reaches('Plugging');
    expect(bench.status().plan).toMatchObject({
      message: expect.stringMatching(/in \d stages/) as string,
      steps: expect.arrayContaining([expect.objectContaining({ waitForOnline: true })]) as unknown,
    });
    const plugged = script.total(vmUuid);
    expect(plugged).toBeGreaterThan(gib(1));
    expect(plugged).toBeLessThan(gib(13));
    await bench.reaches('GuestNotOnlined');
    expect(bench.condition('Ready')?.message).toMatch(
      /has not onlined .* the other \S+ that is wanted is not plugged before$/,
    );
    expect(script.total(vmUuid)).toBe(plugged);
    const written = bench.resources.get('tenants/vm')?.metadata.resourceVersion;
    await bench.clock.advance(1_800_000);
    expect([script.total(vmUuid), bench.resources.get('tenants/vm')?.metadata.resourceVersion]).toEqual([
      plugged,
      written,
    ]);
    script.setOnlines(vmUuid, true);
    script.onlineAll(vmUuid);
    await bench.reaches('Converged', 'vm', 300_000);
    expect(script.total(vmUuid)).toBe(gib(13));
  });
});
