/** A size between the steps: Exact says what is near, Up takes the next one above. */
import { describe, expect, it, test } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ModuleLike, outcomeOf, planFor } from './support.ts';

/** Boot memory of 3907 MiB; blocks of 128 MiB. */
const boot = [{ node: 0, size: mib(3907) }];
const up = (wanted: number, modules: readonly ModuleLike[], more = {}) =>
  planFor(wanted, modules, { rounding: 'Up' }, { boot, ...more });

it('Exact names the sizes around, and what Up makes of it', () => {
  const plan = planFor(4096, [], {}, { boot });
  expect(plan.reason).toBe('Misaligned');
  expect(plan.message).toContain('reachable: 4035Mi, 4163Mi; rounding Up makes it 4163Mi');
});

describe('Up', () => {
  test.each([
    ['growing', []],
    ['growing from one step', [128]],
    ['shrinking', [256, 128]],
    ['shrinking from far above', [1024, 256]],
  ])('4 GiB stands for the same size, %s', (_way, modules) => {
    expect(up(4096, modules).resultMemory).toBe(mib(4163));
  });

  it('and there it stays', () => {
    const plan = up(4096, [256]);
    expect(outcomeOf(plan)).toBe('noop ConvergedNearest 4163');
    expect(plan.residual).toBe(mib(67));
    expect(plan.message).toBe('the guest has 4163Mi, which 4Gi is rounded up to in steps of 128Mi');
    expect(plan.reachable).toMatchObject({ below: mib(3907), above: mib(4163) });
  });

  it('a size in steps is itself', () => {
    expect(outcomeOf(up(4035, [128]))).toBe('noop Converged 4035');
    expect(up(3907, [128]).residual).toBe(0);
  });

  it('steps are whole pages, too, and begin above what other devices give', () => {
    expect(up(4096, [], { pageSize: gib(1) }).resultMemory).toBe(mib(3907 + 1024));
    const others = { otherBytes: gib(2), otherTotal: mib(50) };
    expect(up(4096, [], others).resultMemory).toBe(mib(3907 + 50 + 256));
  });

  it('above the maximum it says so, with the largest size', () => {
    const plan = up(4096, [], { maxMemory: gib(4) });
    expect(plan.reason).toBe('ExceedsMaxMemory');
    expect(plan.message).toContain('the largest size is 4035Mi');
  });

  it('less than boot memory is not rounded away', () => {
    expect(up(3000, [128]).reason).toBe('BelowBootMemory');
  });

  it('a module of an odd size stays in the way, and is not rounded around', () => {
    expect(up(4096, [100]).reason).toBe('Misaligned');
  });
});
