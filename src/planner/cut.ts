/**
 * Cutting a growth into modules so that the guest can later shrink in small steps.
 *
 * A set of modules is *u-dense* if, in ascending order, each is at most `u` larger than all those before it together; the
 * sums of its subsets are then at most `u` apart. The order doesn't matter: if some order has that property, the ascending one has it too.
 * So the cut needs no search. When `placed` bytes of it are chosen, the old modules that can be used are known; the next new module may
 * have any size up to what is reached plus `u`, and taking the largest possible never leaves more modules to do.
 */
import { type Bytes, floorTo } from '../memory/bytes.ts';

export type CutTask = {
  /** Bytes to add, a positive multiple of `unit`. */
  readonly amount: Bytes;
  /** Sizes of the modules that are there, multiples of the granularity, ascending. */
  readonly present: readonly Bytes[];
  readonly granularity: Bytes;
  /** Every new module is a multiple of it, and it is one of the granularity. */
  readonly unit: Bytes;
  /** Largest new module, a multiple of `unit`, or Infinity. */
  readonly maxModule: number;
  /** 1 or more. */
  readonly maxModules: number;
};

/** New modules, in no order, and how far apart the sizes are that they make reachable. */
export type Cut = { readonly sizes: readonly Bytes[]; readonly spacing: Bytes };

/**
 * The densest cut with at most `maxModules` modules, and the fewest modules for that density.
 * @returns null when even modules of the largest size are too many
 */
export function cutDensely(task: CutTask): Cut | null {
  if (Math.ceil(task.amount / task.maxModule) > task.maxModules) return null;
  for (let spacing: number = task.granularity; ; spacing *= 2) {
    const sizes = fewestModules(task, spacing);
    if (sizes !== null) return { sizes, spacing: spacing as Bytes };
  }
}

/** The fewest modules that are `spacing`-dense with what is there; null when that takes more than allowed. */
function fewestModules({ amount, present, unit, maxModule, maxModules }: CutTask, spacing: number): Bytes[] | null {
  const sizes: Bytes[] = [];
  let placed = 0;
  let reached = 0;
  let used = 0;
  while (placed < amount) {
    for (let old = present[used]; old !== undefined && old <= reached + spacing; old = present[++used]) reached += old;
    const largest = Math.min(amount - placed, maxModule, floorTo((reached + spacing) as Bytes, unit));
    if (largest === 0 || sizes.length === maxModules) return null;
    sizes.push(largest as Bytes);
    placed += largest;
    reached += largest;
  }
  return sizes;
}

/** As few modules as the largest size allows: full ones and a rest. */
export function cutWhole(amount: Bytes, maxModule: number): Bytes[] {
  const sizes: Bytes[] = [];
  for (let left: number = amount; left > 0; left -= sizes.at(-1) ?? left)
    sizes.push(Math.min(left, maxModule) as Bytes);
  return sizes;
}
