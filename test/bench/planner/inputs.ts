/** Inputs of the planner's benchmarks: always the same, from a seeded generator. */
import { type Bytes, bytes, GiB, MiB, zeroBytes } from '../../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../../src/memory/module.ts';
import type { ShrinkPolicy } from '../../../src/memory/policies.ts';
import type { PlannerModule, PlannerPolicy, PlanRequest } from '../../../src/planner/types.ts';

export const block = 128 * MiB;

/** Random numbers in [0, 1) that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A request: `wanted` blocks less (or more, if negative) than boot memory and modules of so many blocks. */
function requestOf(
  bootMemory: number,
  modulesInBlocks: readonly number[],
  blocksLess: number,
  policy: Partial<PlannerPolicy> = {},
): PlanRequest {
  let base = 4 * GiB;
  const modules = modulesInBlocks.map((blocks, slot): PlannerModule => {
    const module: PlannerModule = {
      slot,
      base: bytes(base),
      alias: aliasOfSlot(slot),
      node: 0,
      size: bytes(blocks * block),
      state: 'Plugged',
      refusals: slot % 5 === 0 ? 1 : 0,
      quarantined: false,
      retryAfter: null,
    };
    base += module.size;
    return module;
  });
  const total = bootMemory + modules.reduce((sum, { size }) => sum + size, 0);
  return {
    desired: bytes(total - blocksLess * block),
    observation: {
      boot: [{ node: 0, size: bytes(bootMemory) }],
      modules,
      slots: { total: Math.min(256, Math.max(16, modules.length + 1)), usedByOthers: [], resting: [] },
      otherBytes: zeroBytes,
      maxMemory: 'unlimited',
      booting: false,
      cordoned: false,
      granularity: block as Bytes,
      pageSize: null,
      hostFree: null,
      hugepagesFree: null,
      guest: null,
    },
    policy: { shrink: 'Exact', grow: 'Divisible', guestSafety: 'BestEffort', ...policy },
  };
}

/** What happens on an ordinary day: 16 slots, up to 64 GiB, shrinking and growing by all policies. */
export function everydayRequests(count: number): PlanRequest[] {
  const random = seeded(16);
  const shrinkPolicies: readonly ShrinkPolicy[] = ['Exact', 'Nearest', 'Replace'];
  return Array.from({ length: count }, (_, index) => {
    const boot = (4 + Math.floor(random() * 12)) * GiB;
    const room = (64 * GiB - boot) / block;
    const modules: number[] = [];
    const total = 4 + Math.floor(random() * 12);
    for (let left = room; modules.length < total && left > 0; left -= modules.at(-1) ?? left) {
      modules.push(Math.min(left, 1 + Math.floor((random() * 2 * room) / total)));
    }
    const plugged = modules.reduce((sum, blocks) => sum + blocks, 0);
    const grows = index % 4 === 0;
    const less = grows ? -Math.floor(random() * (room - plugged + 1)) : Math.floor(random() * (plugged + 1));
    return requestOf(boot, modules, less, { shrink: shrinkPolicies[index % 3] ?? 'Exact' });
  });
}

/** A shrink without an exact set, and the same modules with one. */
export type HardCase = {
  readonly modules: readonly number[];
  readonly unreachable: number;
  readonly reachable: number;
};

/**
 * As hard as it gets for `count` modules of 512 blocks on average (256 of them: 16 TiB): all sizes differ, their common divisor is
 * one block, and half of everything is wanted less. All sizes but one are multiples of three, so that no subset leaves a
 * remainder of two.
 */
export function hardCase(count: number): HardCase {
  const middle = Math.round(512 / 3);
  const modules = Array.from({ length: count - 1 }, (_, index) => 3 * (middle - Math.ceil(count / 2) + 1 + index));
  const rest = count * 512 - modules.reduce((sum, blocks) => sum + blocks, 0);
  modules.push(rest % 3 === 1 ? rest : rest - ((rest + 2) % 3));
  const half = Math.floor(modules.reduce((sum, blocks) => sum + blocks, 0) / 2);
  return { modules, unreachable: half - ((half + 1) % 3), reachable: half - (half % 3) };
}

/** Boot memory that more than 16 TiB may be plugged onto. */
const largeBoot = 2048 * GiB;

/** The request for a hard case. */
export const hardRequest = (
  { modules, unreachable, reachable }: HardCase,
  isReachable: boolean,
  shrink: ShrinkPolicy,
) => requestOf(largeBoot, modules, isReachable ? reachable : unreachable, { shrink });

/** The worst of each kind. With 256 modules no slot is free to plug first, so Replace is hardest with 255. */
export function worstRequests(): { readonly name: string; readonly request: PlanRequest }[] {
  const all = hardCase(256);
  const oneLess = hardCase(255);
  return [
    { name: '256 modules, no exact set, Exact', request: hardRequest(all, false, 'Exact') },
    { name: '256 modules, no exact set, Nearest', request: hardRequest(all, false, 'Nearest') },
    { name: '256 modules, exact set', request: hardRequest(all, true, 'Exact') },
    { name: '255 modules, no exact set, Exact', request: hardRequest(oneLess, false, 'Exact') },
    { name: '255 modules, no exact set, Replace', request: hardRequest(oneLess, false, 'Replace') },
  ];
}
