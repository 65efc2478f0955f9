/** The order of the checks, and what each says. */
import { describe, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import type { GuestReport, PlannerObservation } from '../../../src/planner/types.ts';
import { inMib, type ModuleLike, outcomeOf, planFor, stepsOf } from './support.ts';

const leaving = (size: number): ModuleLike => ({ size, state: 'Leaving' });

describe('a module is leaving', () => {
  test.each([
    ['desired is the total without it', 1024, true],
    ['desired lies strictly between', 1280, false],
    ['desired is the total with it', 1536, false],
    ['desired is not aligned', 1100, false],
  ])('waits when %s', (_, wanted, asksAgain) => {
    const plan = planFor(wanted, [leaving(512)]);
    expect(outcomeOf(plan)).toBe('wait Unplugging 1536');
    expect(plan.residual).toBeNull();
    expect(plan.askAgain?.slot).toBe(asksAgain ? 0 : undefined);
    expect('askAgain' in plan).toBe(asksAgain);
  });

  test('another unplug waits for it, and asks again', () => {
    const plan = planFor(1024, [256, leaving(512)]);
    expect(outcomeOf(plan)).toBe('wait Unplugging 1792');
    expect(plan.askAgain).toMatchObject({ slot: 1, alias: 'ua-dimmer-1', base: mib(4096 + 256) });
  });

  test('a blocked shrink stays blocked', () => {
    expect(outcomeOf(planFor(1152, [256, leaving(512)]))).toBe('blocked UnreachableSize 1792');
  });

  test('a plug goes on beside it and counts it as present', () => {
    const plan = planFor(2048, [leaving(512)]);
    expect(outcomeOf(plan)).toBe('plug Plugging 2048');
    expect(stepsOf(plan)).toEqual(['plug 512@1']);
  });

  test('Nearest with nothing else to take waits', () => {
    expect(outcomeOf(planFor(1100, [256, leaving(512)], { shrink: 'Nearest' }))).toBe('wait Unplugging 1792');
  });

  test('the nearest sizes count from the total without it, and with it', () => {
    const { reachable } = planFor(1152, [256, leaving(512)]);
    expect([inMib(reachable.below), inMib(reachable.above), reachable.complete]).toEqual([1024, 1536, false]);
  });

  test('it is waited for even in the boot window', () => {
    expect(planFor(1024, [leaving(512)], {}, { booting: true }).reason).toBe('Unplugging');
  });
});

describe('before anything is changed', () => {
  test('the wanted size is there, aligned or not', () => {
    expect(outcomeOf(planFor(1124, [100], {}, { booting: true }))).toBe('noop Converged 1124');
  });
  test.each([512, 1024, 4096])('the boot window comes before every other reason (%i MiB)', (wanted) => {
    const plan = planFor(wanted, [512], {}, { booting: true, maxMemory: 'unsupported' });
    expect(outcomeOf(plan)).toBe('wait WaitingForGuest 1536');
  });
});

describe('shrinking', () => {
  test('a module of an odd size plugged by hand can go', () => {
    expect(stepsOf(planFor(1152, [100, 128]))).toEqual(['unplug 100@0']);
  });
  test.each(['Exact', 'Replace'] as const)('GuestRefused comes before Misaligned (%s)', (shrink) => {
    const modules = [{ size: 100, quarantined: true }, 128];
    const plan = planFor(1152, modules, { shrink });
    expect(outcomeOf(plan)).toBe('blocked GuestRefused 1252');
    expect(plan.message).toContain('needs ua-dimmer-0 (100Mi, slot 0) unplugged, which the guest refused to give up');
    expect(planFor(1052, modules, { shrink }).reason).toBe('Misaligned');
  });
  test('Nearest takes what is nearest, though the exact set needs what was refused', () => {
    expect(outcomeOf(planFor(1152, [{ size: 100, quarantined: true }, 128], { shrink: 'Nearest' }))).toBe(
      'noop ConvergedNearest 1252',
    );
  });
  test('a quarantined module that would not help either is no GuestRefused', () => {
    expect(planFor(1152, [{ size: 256, quarantined: true }]).reason).toBe('UnreachableSize');
  });
});

describe('guest safety of an unplug', () => {
  const guest = (usable: number, fresh = true): GuestReport => ({ usable: mib(usable), total: mib(1700), fresh });
  const shrinkBy512 = (report: GuestReport | null, guestSafety: 'Required' | 'BestEffort' | 'Off') =>
    planFor(1280, [512, 256], { guestSafety }, { guest: report });

  test('exactly the margin of 128 MiB may be left', () => {
    const plan = shrinkBy512(guest(640), 'Required');
    expect(stepsOf(plan)).toEqual(['unplug 512@0']);
    expect(plan.steps).toMatchObject([{ minUsableAfter: mib(128) }]);
  });

  test('a byte less is too little, and the lowest safe size is named', () => {
    const plan = shrinkBy512({ ...guest(639), usable: (mib(640) - 1) as never }, 'Required');
    expect(outcomeOf(plan)).toBe('blocked GuestMemoryInUse 1792');
    expect(plan.message).toContain('the lowest size that is safe now is 1536Mi');
  });

  test('of a large guest 5 % must be left', () => {
    const modules = [2048, 8192];
    const plan = (usable: number) =>
      planFor(9216, modules, { guestSafety: 'Required' }, { guest: { ...guest(1), usable: usable as never } });
    const margin = Math.ceil((11264 * 2 ** 20) / 20);
    expect(plan(2 ** 31 + margin).decision).toBe('unplug');
    expect(plan(2 ** 31 + margin - 1).reason).toBe('GuestMemoryInUse');
  });

  test.each([null, guest(4000, false)])('without fresh statistics (%j)', (report) => {
    const required = shrinkBy512(report, 'Required');
    expect(outcomeOf(required)).toBe('blocked GuestMemoryUnknown 1792');
    expect(required.message).toContain('memballoon');
    const bestEffort = shrinkBy512(report, 'BestEffort');
    expect(bestEffort.decision).toBe('unplug');
    expect(bestEffort.message).toContain('not judged');
    expect(bestEffort.steps).toMatchObject([{ minUsableAfter: null }]);
  });

  test('BestEffort judges statistics that are fresh', () => {
    expect(shrinkBy512(guest(639), 'BestEffort').reason).toBe('GuestMemoryInUse');
    expect(shrinkBy512(guest(640), 'BestEffort').steps).toMatchObject([{ minUsableAfter: mib(128) }]);
  });

  test('Off judges nothing', () => {
    expect(shrinkBy512(guest(1), 'Off').steps).toMatchObject([{ minUsableAfter: null }]);
  });

  test('what is leaving counts too, and blocks before the wait', () => {
    const modules = [512, { size: 256, state: 'Leaving' as const }];
    const plan = (usable: number) => planFor(1024, modules, { guestSafety: 'Required' }, { guest: guest(usable) });
    expect(plan(895).reason).toBe('GuestMemoryInUse');
    // Of 895, 128 stay and 256 are leaving: the 511 that are left are no module.
    expect(plan(895).message).toContain('nothing can be unplugged safely now');
    expect(plan(896)).toMatchObject({ decision: 'wait', askAgain: { slot: 1, minUsableAfter: mib(128) } });
  });
});

describe('growing', () => {
  const grow = (observation: Partial<PlannerObservation>, modules: ModuleLike[] = [], wanted = 2048) =>
    planFor(wanted, modules, {}, observation);
  const worst: Partial<PlannerObservation> = {
    maxMemory: 'unsupported',
    slots: { total: 1, usedByOthers: [0], resting: [] },
    cordoned: true,
    hostFree: mib(0),
    hugepagesFree: mib(0),
    pageSize: mib(2),
  };

  test('the reasons come in the order of the contract', () => {
    let observation = worst;
    const fixes: [string, Partial<PlannerObservation>, number][] = [
      ['HotplugUnsupported', { maxMemory: mib(2048) }, 20001],
      ['Misaligned', {}, 20001],
      ['ExceedsMaxMemory', { maxMemory: 'unlimited' }, 20480],
      ['BootMemoryTooSmall', {}, 20480],
      ['SlotsExhausted', { slots: { total: 1, usedByOthers: [], resting: [] } }, 2048],
      ['HostCordoned', { cordoned: false }, 2048],
      ['InsufficientHostMemory', { hostFree: mib(1024) }, 2048],
      ['HugepagesUnavailable', { hugepagesFree: mib(1024) }, 2048],
    ];
    for (const [reason, fix, wanted] of fixes) {
      expect(outcomeOf(grow(observation, [], wanted))).toBe(`blocked ${reason} 1024`);
      observation = { ...observation, ...fix };
    }
    expect(outcomeOf(grow(observation))).toBe('plug Plugging 2048');
  });

  test('exactly maxMemory, exactly 16 times boot memory and exactly what the host has left are allowed', () => {
    expect(grow({ maxMemory: mib(2048) }).decision).toBe('plug');
    expect(grow({ maxMemory: mib(2303), otherBytes: mib(256) }).reason).toBe('ExceedsMaxMemory');
    expect(grow({ maxMemory: mib(2304), otherBytes: mib(256) }).decision).toBe('plug');
    expect(grow({}, [], 16384).decision).toBe('plug');
    expect(grow({ hostFree: mib(1024) }).decision).toBe('plug');
    expect(grow({ hostFree: mib(1023) }).reason).toBe('InsufficientHostMemory');
  });

  test('only resting slots are free: waits', () => {
    const slots = { total: 3, usedByOthers: [0], resting: [1, 2] };
    expect(outcomeOf(grow({ slots }))).toBe('wait VMBusy 1024');
  });

  test('a new module takes the lowest slot that is neither used nor resting', () => {
    const slots = { total: 16, usedByOthers: [0], resting: [2] };
    expect(stepsOf(grow({ slots }, [{ size: 128, slot: 1 }]))).toEqual(['plug 896@3']);
  });

  test('a resting slot that somebody filled by hand is just in use', () => {
    const slots = { total: 2, usedByOthers: [], resting: [0] };
    expect(stepsOf(grow({ slots }, [128]))).toEqual(['plug 896@1']);
  });

  test('preallocated memory comes in modules of at most 1 GiB, one at a time', () => {
    const plan = grow({ pageSize: mib(2) }, [], 3584);
    expect(stepsOf(plan)).toEqual(['plug 512@0', 'plug 1024@1', 'plug 1024@2']);
    expect(plan.steps.map((step) => step.operation === 'plug' && step.waitForOnline)).toEqual([true, true, true]);
    const slots = { total: 2, usedByOthers: [], resting: [] };
    expect(grow({ pageSize: mib(2), slots }, [], 3584).reason).toBe('SlotsExhausted');
  });

  test('waits for onlining when the free memory is short for the memory map', () => {
    const guest = (usable: number): GuestReport => ({ usable: mib(usable), total: mib(900), fresh: true });
    const waits = (usable: number) =>
      planFor(9216, [], { grow: 'Divisible' }, { guest: guest(usable) }).steps.map(
        (step) => step.operation === 'plug' && step.waitForOnline,
      );
    // 8 GiB needs 128 MiB of memory map.
    expect(waits(256).some(Boolean)).toBe(false);
    // Now what is in flight, then the rest.
    expect(waits(255)[0]).toBe(true);
    expect(waits(255).filter(Boolean)).toHaveLength(2);
  });

  test('with statistics that are too old it waits between plugs; with none there is nothing to wait for', () => {
    const waits = (report: GuestReport | null) =>
      planFor(1408, [], { grow: 'Divisible' }, { guest: report }).steps.map(
        (step) => step.operation === 'plug' && step.waitForOnline,
      );
    expect(waits({ usable: mib(900), total: mib(900), fresh: false })).toEqual([false, true]);
    expect(waits(null)).toEqual([false, false]);
  });
});
