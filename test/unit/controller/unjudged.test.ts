/** What isn't judged doesn't count as yes (docs/adr/0033): whether a guest has what it was given, and whether it runs at all. */
import { afterEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemorySpec } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { hostError } from '../../../src/host/errors.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

async function start(spec: Partial<SimulatedDomainSpec> = {}) {
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1), ...spec }]);
  return bench.host().script;
}
/** Applies the spec and waits for the reason. */
async function says(reason: string, spec: Partial<VirtualMachineMemorySpec> = {}): Promise<string> {
  if (Object.keys(spec).length > 0) bench.apply(spec);
  await bench.reaches(reason);
  return message();
}
const message = () => bench.condition('Ready')?.message ?? '';
const conditions = () => ['Ready', 'Reconciling', 'Stalled'].map((type) => bench.condition(type)?.status);
const changes = () => bench.host().script.changes();

describe('modules that Dimmer did not plug', () => {
  it('and that the guest took up count at once, and are never called missing', async () => {
    const script = await start();
    await says('Converged', { memory: '1Gi' });
    script.plugByHand(vmUuid, { slot: 0, size: gib(1) });
    bench.apply({ memory: '2Gi' });
    const reasons = new Set<string | undefined>();
    for (let step = 0; step < 80; step += 1) {
      await bench.clock.advance(1_000);
      reasons.add(bench.reason());
    }
    expect([...reasons]).toEqual(['WaitingForGuest', 'Converged']);
    expect(message()).toBe('the guest has 2Gi, as wanted');
  });

  it('and that the guest never onlines keep Ready from being True, with how much is missing', async () => {
    const script = await start();
    await says('Converged', { memory: '1Gi' });
    script.setOnlines(vmUuid, false);
    script.plugByHand(vmUuid, { slot: 0, size: mib(128) });
    await says('WaitingForGuest', { memory: '1152Mi' });
    const sinceMs = bench.clock.now();
    expect(await says('GuestNotOnlined')).toMatch(/the guest has not onlined 128Mi of its modules.*auto_online_blocks/);
    expect(bench.clock.now() - sinceMs).toBeLessThan(62_000);
    expect(conditions()).toEqual(['False', 'True', 'False']);
    script.onlineAll(vmUuid);
    await says('Converged');
  });

  it('and that were there before anybody looked: missing where no kernel keeps so much for itself', async () => {
    const script = await start({ modules: [{ size: gib(1) }] });
    script.setOnlines(vmUuid, false);
    script.reset(vmUuid);
    script.restartAgent();
    expect(await says('GuestNotOnlined', { memory: '2Gi' })).toMatch(
      /its own total is 983Mi, 1064Mi less than boot memory and modules make/,
    );
    script.onlineAll(vmUuid);
    expect(await says('Converged')).toBe('the guest has 2Gi, as wanted');
  });

  it('and less is missing than a kernel may keep: that is told, and no alarm', async () => {
    const script = await start({ modules: [{ size: mib(256) }] });
    script.setOnlines(vmUuid, false);
    script.reset(vmUuid);
    script.restartAgent();
    const told = await says('Converged', { memory: '1280Mi' });
    expect(told).toMatch(
      /as wanted; its own total is 983Mi: whether its kernel keeps the other 29[67]Mi .* is not known/,
    );
    await bench.clock.advance(600_000);
    expect(bench.reason()).toBe('Converged');
  });

  it('the guest that onlines after its boot is waited for, and the one that does not is told', async () => {
    const script = await start();
    await says('Converged', { memory: '2Gi' });
    script.setOnlines(vmUuid, false);
    script.reset(vmUuid);
    await says('WaitingForGuest');
    await says('GuestNotOnlined');
    script.setOnlines(vmUuid, true);
    script.reset(vmUuid);
    await says('Converged');
    expect(bench.host().script.total(vmUuid)).toBe(gib(2));
  });

  it('a guest that has just taken up what Dimmer plugged beside them is not doubted at the next look', async () => {
    const script = await start({ modules: [{ size: gib(1) }] });
    script.restartAgent();
    await bench.clock.advance(700);
    await says('Converged', { memory: '3Gi' });
    script.emit({ kind: 'module-added', uuid: vmUuid });
    const before = script.calls().observe;
    await bench.clock.advance(200);
    expect([script.calls().observe > before, bench.reason()]).toEqual([true, 'Converged']);
  });

  it('an older agent that does not say since when: no alarm', async () => {
    const script = await start({ modules: [{ size: gib(1) }] });
    script.setOnlines(vmUuid, false);
    script.reset(vmUuid);
    script.setSaysSince(vmUuid, false);
    expect(await says('Converged', { memory: '2Gi' })).toContain('is not known');
  });
});

describe('a guest that never reports', () => {
  const silent = { reports: false };

  it('is not Ready with what was plugged where statistics are required', async () => {
    const script = await start(silent);
    await bench.clock.advance(61_000);
    expect(await says('Converged', { memory: '1Gi' })).toBe('the guest has 1Gi, as wanted');
    const told = await says('GuestMemoryUnknown', { memory: '2Gi' });
    expect(script.total(vmUuid)).toBe(gib(2));
    expect(told).toMatch(/the VM has 2Gi, but the guest reports no statistics.*guestSafety to BestEffort/);
    expect(conditions()).toEqual(['False', 'False', 'True']);
    expect(await says('Converged', { guestSafety: 'BestEffort' })).toMatch(
      /it reports no statistics, so .* is not known/,
    );
    expect(conditions()).toEqual(['True', 'False', 'False']);
    script.setReports(vmUuid, true);
    await bench.clock.advance(31_000);
    expect(message()).toBe('the guest has 2Gi, as wanted');
  });

  it('is given what is wanted, and the plan says what nobody knows', async () => {
    const script = await start(silent);
    script.setReachable(true);
    bench.apply({ memory: '2Gi', paused: true });
    await says('Paused');
    expect(message()).toMatch(/plug 1Gi .*; the guest reports no statistics: whether it has the 16Mi .* memory map/);
  });

  it('of this boot is waited for while it boots, whatever is required', async () => {
    const script = await start();
    await says('Converged', { memory: '2Gi', guestSafety: 'BestEffort' });
    script.setReports(vmUuid, false);
    script.reset(vmUuid);
    await bench.clock.advance(70_000);
    expect(bench.reason()).toBe('Converged');
    expect(message()).toContain('it reports no statistics');
  });
});

describe('a guest that is late', () => {
  it('and has said nothing since a module came is waited for, then unknown, whatever is not required', async () => {
    const script = await start();
    await says('Converged', { memory: '1Gi', guestSafety: 'BestEffort' });
    script.setLate(vmUuid, true);
    script.plugByHand(vmUuid, { slot: 0, size: gib(1) });
    bench.apply({ memory: '2Gi' });
    await says('WaitingForGuest');
    expect(await says('GuestMemoryUnknown')).toMatch(/the guest has not reported its memory for \d+ s.*hangs/);
    script.setLate(vmUuid, false);
    await says('Converged');
  });

  it('and said before that it has everything is believed', async () => {
    const script = await start();
    await says('Converged', { memory: '2Gi' });
    await bench.clock.advance(5_000);
    script.setLate(vmUuid, true);
    await bench.clock.advance(1_200_000);
    expect(bench.reason()).toBe('Converged');
  });
});

describe('a VM that is suspended', () => {
  it('is not Ready, whatever it has, until it runs again', async () => {
    const script = await start();
    await says('Converged', { memory: '2Gi' });
    script.pause(vmUuid);
    expect(await says('VMNotRunning')).toMatch(/VM db-1 is Paused on host hv-1: .*virsh resume/);
    expect(message()).toContain('2Gi');
    expect(conditions()).toEqual(['False', 'True', 'False']);
    expect(bench.status().memory?.current).toBe('2Gi');
    script.resume(vmUuid);
    await says('Converged');
  });

  it('is neither given nor asked for memory, and goes on when it runs', async () => {
    const script = await start();
    await says('Converged', { memory: '2Gi' });
    script.pause(vmUuid);
    const before = changes().length;
    expect(await says('VMNotRunning', { memory: '3Gi' })).toContain('plug 1Gi');
    expect(await says('VMNotRunning', { memory: '1Gi' })).toContain('unplug 1Gi');
    await bench.clock.advance(600_000);
    expect([changes().length, bench.reason()]).toEqual([before, 'VMNotRunning']);
    expect(script.calls().unplug).toBe(0);
    // What it can't have whether it runs or not is told all the same.
    await says('BelowBootMemory', { memory: '512Mi' });
    bench.apply({ memory: '1Gi' });
    script.resume(vmUuid);
    await says('Converged');
    expect(bench.status().memory?.current).toBe('1Gi');
  });

  it('by spec.paused as well: both are told', async () => {
    const script = await start();
    script.pause(vmUuid);
    expect(await says('Paused', { memory: '1Gi', paused: true })).toMatch(/paused by spec.paused; VM db-1 is Paused/);
  });
});

describe('memory that libvirt forgot', () => {
  const why = 'libvirtd was killed in the middle of a plug: QEMU has 512Mi that libvirt does not know of';

  it('and that is being taken out keeps Ready from being True', async () => {
    const script = await start();
    await says('Converged', { memory: '1Gi' });
    script.setHidden(vmUuid, { size: mib(512), leaves: true, why });
    expect(await says('VMBusy')).toBe(`the VM has 512Mi more than the 1Gi that is wanted: ${why}`);
    expect(conditions()).toEqual(['False', 'True', 'False']);
    script.setHidden(vmUuid, null);
    await says('Converged');
  });

  it('and that stays needs somebody', async () => {
    const script = await start();
    script.setHidden(vmUuid, { size: mib(512), leaves: false, why });
    expect(await says('HotplugUnsupported', { memory: '1Gi' })).toContain(why);
    expect(conditions()).toEqual(['False', 'False', 'True']);
  });

  it('is told where nothing is wanted, too', async () => {
    const script = await start();
    script.setHidden(vmUuid, { size: mib(512), leaves: false, why });
    expect(await says('ObserveOnly', { paused: false })).toContain(why);
  });
});

describe('a host that does not say what it has left', () => {
  it('is not taken for one that has enough: the plan says so, and PlanFeasible is Unknown', async () => {
    const script = await start();
    script.inject('facts', { kind: 'fail', error: hostError('internal-error', 'on purpose') }, 1_000);
    await bench.clock.advance(60_000);
    bench.apply({ memory: '2Gi', paused: true });
    await says('Paused');
    expect(message()).toMatch(/; what host hv-1 has left is not known: its agent judges that when it plugs$/);
    expect(bench.condition('PlanFeasible')).toMatchObject({ status: 'Unknown', reason: 'HostNotJudged' });
    expect(bench.status().planning?.backings[0]?.room).toBeUndefined();
    script.clearFaults();
    bench.apply({ paused: false });
    await says('Converged');
    expect(bench.condition('PlanFeasible')?.status).toBe('True');
  });
});

describe('GuestAccepted', () => {
  it('is remembered over a restart of the agent, with the time of the next try', async () => {
    const script = await start({ modules: [{ size: gib(1) }], unplugBehaviour: 'refuse' });
    await says('GuestRefused', { memory: '1Gi' });
    const before = bench.status().modules;
    const asked = changes().filter(({ what }) => what === 'asked').length;
    script.restartAgent();
    await bench.clock.advance(10_000);
    await bench.restart();
    await bench.clock.advance(10_000);
    expect(bench.condition('GuestAccepted')).toMatchObject({ status: 'False', reason: 'GuestRefused' });
    expect(bench.status().modules).toEqual(before);
    expect(changes().filter(({ what }) => what === 'asked')).toHaveLength(asked);
  });

  it('is Unknown of a guest that has not answered, also once the agent that asked is gone', async () => {
    const script = await start({ modules: [{ size: gib(1) }], unplugBehaviour: 'silent' });
    await says('UnplugUnknown', { memory: '1Gi' });
    const unknown = { status: 'Unknown', reason: 'UnplugUnknown' };
    expect(bench.condition('GuestAccepted')).toMatchObject(unknown);
    script.restartAgent();
    await bench.clock.advance(20_000);
    expect(bench.condition('GuestAccepted')).toMatchObject(unknown);
    script.setUnplugBehaviour(vmUuid, 'all', 'accept');
    await says('Converged');
    expect(bench.condition('GuestAccepted')?.status).toBe('True');
  });
});

describe('what a kernel keeps for itself', () => {
  it('is no alarm where the guest was seen without modules, however much it is', async () => {
    // crashkernel, a `mem=` of somebody: 60 % of its boot memory.
    const script = await start({ kept: mib(600) });
    await says('Converged', { memory: '1Gi' });
    await says('Converged', { memory: '2Gi' });
    expect(message()).toBe('the guest has 2Gi, as wanted');
    expect(script.total(vmUuid)).toBe(gib(2));
  });
});
