/** Shrinking where the worked cases don't go: Nearest, Replace, and which of several sets. */
import { describe, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import type { PlannerObservation } from '../../../src/planner/types.ts';
import { inMib, type ModuleLike, outcomeOf, planFor, stepsOf } from './support.ts';

describe('which of several exact sets', () => {
  test('no refuser, even if it takes more modules', () => {
    expect(stepsOf(planFor(1280, [{ size: 256, refusals: 1 }, 128, 128]))).toEqual(['unplug 128@2', 'unplug 128@1']);
  });

  test('one refuser rather than two', () => {
    const modules = [
      { size: 256, refusals: 9 },
      { size: 128, refusals: 1 },
      { size: 128, refusals: 1 },
    ];
    expect(stepsOf(planFor(1280, modules))).toEqual(['unplug 256@0']);
  });

  test('the fullest node first, then the highest address', () => {
    const boot = [
      { node: 0, size: mib(2048) },
      { node: 1, size: mib(1024) },
    ];
    const modules = [
      { size: 256, node: 1 },
      { size: 256, node: 1 },
      { size: 256, node: 0 },
    ];
    expect(stepsOf(planFor(3584, modules, {}, { boot }))).toEqual(['unplug 256@1']);
  });
});

describe('Nearest', () => {
  const nearest = (wanted: number, modules: ModuleLike[]) => planFor(wanted, modules, { shrink: 'Nearest' });

  test('takes what comes nearest and keeps a little more than asked', () => {
    const plan = nearest(1400, [256, 256, 128, 128]);
    expect(outcomeOf(plan)).toBe('unplug Unplugging 1408');
    expect(inMib(plan.residual)).toBe(8);
    expect(plan.message).toContain('8Mi above what is wanted');
  });

  test('leaves quarantined modules alone', () => {
    expect(outcomeOf(nearest(1024, [{ size: 512, quarantined: true }, 128]))).toBe('unplug Unplugging 1536');
  });
});

describe('Replace', () => {
  const replace = (wanted: number, modules: ModuleLike[], observation: Partial<PlannerObservation> = {}) =>
    planFor(wanted, modules, { shrink: 'Replace' }, observation);

  test('prefers an exact set', () => {
    expect(stepsOf(replace(1536, [512, 512]))).toEqual(['unplug 512@1']);
  });

  test('one large module rather than two that fit closer', () => {
    // 384 less: 1024 alone (plug 640) before 256 + 256 (plug 128).
    expect(stepsOf(replace(2176, [256, 256, 1024]))).toEqual(['plug 640@3', 'unplug 1024@2']);
  });

  test('unless there is no room for so large a plug', () => {
    expect(stepsOf(replace(2176, [256, 256, 1024], { hostFree: mib(639) }))).toEqual([
      'plug 128@3',
      'unplug 256@1',
      'unplug 256@0',
    ]);
  });

  test('of as many modules, the smallest sum', () => {
    expect(stepsOf(replace(2688, [1024, 768]))).toEqual(['plug 640@2', 'unplug 768@1']);
  });

  test.each([
    ['ExceedsMaxMemory', { maxMemory: mib(2048 + 511) }],
    ['SlotsExhausted', { slots: { total: 1, usedByOthers: [], resting: [] } }],
    ['HostCordoned', { cordoned: true }],
    ['InsufficientHostMemory', { hostFree: mib(511) }],
    ['HugepagesUnavailable', { pageSize: mib(2), hugepagesFree: mib(511) }],
  ] as const)('is blocked for want of room: %s', (reason, observation) => {
    const plan = replace(1536, [1024], observation);
    expect(outcomeOf(plan)).toBe(`blocked ${reason} 2048`);
  });

  test('exactly the room is enough', () => {
    expect(replace(1536, [1024], { maxMemory: mib(2560), hostFree: mib(512) }).decision).toBe('replace');
  });

  test('waits while the only free slot is resting', () => {
    expect(outcomeOf(replace(1536, [1024], { slots: { total: 2, usedByOthers: [], resting: [1] } }))).toBe(
      'wait VMBusy 2048',
    );
  });

  test('modules of an odd size are no candidates', () => {
    expect(outcomeOf(replace(1152, [1000, 152]))).toBe('blocked UnreachableSize 2176');
  });

  test('what is plugged is made of whole huge pages, even if that takes more modules', () => {
    // 256 less with pages of 256: neither 384 nor 640 alone leaves whole pages to plug.
    const plan = replace(1792, [384, 640], { pageSize: mib(256) });
    expect(stepsOf(plan)).toEqual(['plug 768@2', 'unplug 640@1', 'unplug 384@0']);
  });

  test('goes where a growth would go', () => {
    const boot = [
      { node: 0, size: mib(1024) },
      { node: 1, size: mib(1024) },
    ];
    const plan = replace(2560, [{ size: 1024, node: 0 }], { boot });
    expect(plan.steps).toMatchObject([
      { operation: 'plug', node: 1 },
      { operation: 'unplug', node: 0 },
    ]);
  });

  test('guest safety counts what is plugged first, less its memory map', () => {
    const guest = (usable: number) => ({ usable: mib(usable), total: mib(2000), fresh: true });
    const plan = (usable: number) =>
      planFor(1536, [1024], { shrink: 'Replace', guestSafety: 'Required' }, { guest: guest(usable) });
    // 1024 leave, 512 come, of which the memory map takes 8; the margin is 128.
    expect(plan(648).decision).toBe('replace');
    expect(plan(647).reason).toBe('GuestMemoryInUse');
  });
});
