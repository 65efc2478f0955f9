/** The worked cases of docs/planner.md. */
import { describe, expect, test } from 'vitest';
import { inMib, type ModuleLike, outcomeOf, planFor, stepsOf } from './support.ts';

describe('shrinking by an exact set', () => {
  const cases: [ModuleLike[], number, string[]][] = [
    [[384, 256, 256], 1408, ['unplug 256@2', 'unplug 256@1']],
    [[768, 512, 512], 1792, ['unplug 512@2', 'unplug 512@1']],
    [[768, 512, 384], 1792, ['unplug 384@2', 'unplug 512@1']],
    [[512, 384, 256], 1536, ['unplug 256@2', 'unplug 384@1']],
    [[1536, 1024, 512, 512], 2560, ['unplug 512@3', 'unplug 1536@0']],
    [[{ size: 512, refusals: 1, quarantined: true }, 256, 256], 1536, ['unplug 256@2', 'unplug 256@1']],
  ];
  test.each(cases)('%j to %i MiB', (modules, wanted, steps) => {
    const plan = planFor(wanted, modules);
    expect(outcomeOf(plan)).toBe(`unplug Unplugging ${wanted}`);
    expect(stepsOf(plan)).toEqual(steps);
    expect(plan.residual).toBe(0);
  });
});

test('a size between the blocks is misaligned', () => {
  const plan = planFor(1400, [256, 256, 128, 128]);
  expect(outcomeOf(plan)).toBe('blocked Misaligned 1792');
  expect(plan.residual).toBeNull();
  expect(plan.reachable).toMatchObject({ below: 1280 * 2 ** 20, above: 1408 * 2 ** 20, complete: true });
});

describe('one module of 1024, 512 less', () => {
  test('Exact: blocked, with the sizes around and the way out', () => {
    const plan = planFor(1536, [1024]);
    expect(outcomeOf(plan)).toBe('blocked UnreachableSize 2048');
    expect([inMib(plan.reachable.below), inMib(plan.reachable.above)]).toEqual([1024, 2048]);
    expect(plan.message).toBe(
      "plugged modules 1Gi can't make 512Mi less; reachable: 1Gi, 2Gi; shrinkPolicy Replace reaches it by plugging 512Mi first",
    );
  });

  test('Nearest: stays, and says how far off', () => {
    const plan = planFor(1536, [1024], { shrink: 'Nearest' });
    expect(outcomeOf(plan)).toBe('noop ConvergedNearest 2048');
    expect(inMib(plan.residual)).toBe(512);
  });

  test('Replace: plugs 512 first', () => {
    const plan = planFor(1536, [1024], { shrink: 'Replace' });
    expect(outcomeOf(plan)).toBe('replace Replacing 1536');
    expect(stepsOf(plan)).toEqual(['plug 512@1', 'unplug 1024@0']);
  });
});

test('a quarantined module that is needed', () => {
  const plan = planFor(1024, [{ size: 512, refusals: 2, quarantined: true, retryAfter: '2026-03-01T12:00:00Z' }]);
  expect(outcomeOf(plan)).toBe('blocked GuestRefused 1536');
  expect(plan.message).toContain('ua-dimmer-0');
  expect(plan.message).toContain('2026-03-01T12:00:00Z');
});

describe('growing Divisible', () => {
  test('the first growth takes four modules that reach every multiple of 128', () => {
    const plan = planFor(2048, [], { grow: 'Divisible' });
    expect(outcomeOf(plan)).toBe('plug Plugging 2048');
    expect(plan.steps.map((step) => inMib(step.size))).toEqual([128, 128, 256, 512]);
  });

  test('the next one takes a single module', () => {
    const plan = planFor(3072, [128, 256, 512, 128], { grow: 'Divisible' });
    expect(stepsOf(plan)).toEqual(['plug 1024@4']);
  });
});

test.each([[[]], [[128]], [[1024, 1024]]])('nothing goes below boot memory (%j)', (modules) => {
  const plan = planFor(512, modules);
  expect([plan.decision, plan.reason]).toEqual(['blocked', 'BelowBootMemory']);
  expect(plan.message).toContain('1Gi');
  expect(inMib(plan.reachable.above)).toBe(1024);
});
