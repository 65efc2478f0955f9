/** Growing: which modules are plugged, where, and what stands in the way. */
import { type Bytes, bytes, ceilTo, isMultipleOf, subtractBytes } from '../memory/bytes.ts';
import { type Cut, type CutTask, cutDensely, cutWhole } from './cut.ts';
import { size, sizes } from './explain.ts';
import { type Stages, stagesOf, waitsForOnline } from './guest-safety.ts';
import { nodeLoads, placeModules } from './nodes.ts';
import { choosePool } from './obstacles.ts';
import { shorterStops } from './pools.ts';
import { largestTotal, type Situation } from './situation.ts';
import type { PlugStep, Reachable } from './types.ts';
import { type Decided, withoutSteps } from './decided.ts';

/** What is decided for `desired > current`. */
export function grow(situation: Situation, reachable: Reachable): Decided {
  const { desired, current, observation } = situation;
  const amount = subtractBytes(desired, current);
  const found = choosePool(situation, amount, reachable);
  if (found.kind === 'none')
    return withoutSteps(found.obstacle.decision, found.obstacle.reason, found.obstacle.message);

  const stages = stagesOf(found.situation, amount);
  const cut = chooseCut(found.situation, amount, stages);
  const steps = plugSteps(found.situation, cut.sizes);
  const coarse =
    cut.spacing > observation.granularity
      ? `; the sizes that unplugging reaches will then be up to ${size(cut.spacing)} apart`
      : '';
  return {
    decision: 'plug',
    reason: 'Plugging',
    message: `plug ${describePlugs(steps)} to go from ${size(current)} to ${size(desired)}${coarse}${explainStages(steps, stages)}${explainSharing(found.situation, cut, amount)}`,
    steps,
  };
}

/** What comes when, where the memory map of all at once could use up the guest's free memory; '' where it goes at once. */
function explainStages(steps: readonly PlugStep[], most: Stages | null): string {
  if (most === null) return '';
  const stages: number[] = [];
  for (const { size: added, waitForOnline } of steps) {
    const last = stages.length - 1;
    if (last < 0 || waitForOnline) stages.push(added);
    else stages[last] = (stages[last] ?? 0) + added;
  }
  const [first = 0, ...others] = stages;
  const map = "the memory map of all at once could use up the guest's free memory";
  if (others.length === 0) return first > most.first ? `; it has to come at once, for want of slots: ${map}` : '';
  const isLarge = first > most.first || others.some((stage) => stage > most.later);
  const few = isLarge ? ' (larger than they should be, for want of slots)' : '';
  return `; in ${stages.length} stages${few}, ${size(first)} first and each of the others once the guest has onlined the one before: ${map}`;
}

/** Every region costs a place at another process that maps the guest's memory; how many it has, nobody can ask. */
function explainSharing({ observation: { sharedWith }, pool }: Situation, { sizes }: Cut, amount: Bytes): string {
  const hasFewer = sizes.length > cutWhole(amount, pool.maxModule).length;
  if (!sharedWith || (!hasFewer && sizes.length <= sharedWith.left)) return '';
  const wayOut = hasFewer ? '; growPolicy Whole takes the fewest modules' : '';
  return `; ${sharedWith.backend} has to map every module and surely has room for ${sharedWith.left} more${wayOut}`;
}

/**
 * The new modules: none larger than its stage as far as the slots go, else as even as they can be.
 * @param stages null: all at once
 */
function chooseCut(situation: Situation, amount: Bytes, stages: Stages | null): Cut {
  const { freeSlots, pool } = situation;
  if (stages === null) return cutInto(situation, amount, pool.maxModule);
  const even = ceilTo(bytes(Math.ceil(amount / freeSlots.length)), pool.unit);
  const maxModule = Math.min(pool.maxModule, Math.max(stages.later, even));
  const cut = cutInto(situation, amount, maxModule);
  const isSmall = cut.sizes.some((each) => each <= stages.first);
  const rest = subtractBytes(amount, Math.min(amount, stages.first) as Bytes);
  if (isSmall || rest === 0) return cut;
  // None is small enough for the first stage: it gets a module of its own.
  const others = cutInto(situation, rest, maxModule);
  return others.sizes.length < freeSlots.length ? { ...others, sizes: [stages.first, ...others.sizes] } : cut;
}

function cutInto(situation: Situation, amount: Bytes, maxModule: number): Cut {
  const { observation, policy, freeSlots } = situation;
  const { unit } = situation.pool;
  const { granularity, sharedWith } = observation;
  const whole: Cut = { sizes: cutWhole(amount, maxModule), spacing: granularity };
  switch (policy.grow) {
    case 'Whole':
      return whole;
    case 'Divisible': {
      const present = observation.modules
        .map((module) => module.size)
        .filter((each) => isMultipleOf(each, granularity))
        .sort((a, b) => a - b);
      const task = { amount, present, granularity, unit, maxModule };
      // One slot stays in reserve, so that a later Replace has one; the last one is used rather than refusing to grow.
      const inReserve = Math.max(1, Math.min(freeSlots.length - 1, sharedWith?.left ?? Infinity));
      const dense = cutDensely({ ...task, maxModules: inReserve });
      if (dense !== null) return cutForShorterStops(situation, task, dense, inReserve) ?? dense;
      // Who has to map them surely has no room for so many: as few as can be.
      return sharedWith ? whole : (cutDensely({ ...task, maxModules: freeSlots.length }) ?? whole);
    }
    default:
      return policy.grow satisfies never;
  }
}

/**
 * Smaller modules than in `dense`, where each stops the guest, and as many as no later growth misses: slots for all that
 * the VM may still get stay free. No fewer sizes are reached by unplugging. null: there are no slots for that.
 */
function cutForShorterStops(
  situation: Situation,
  task: Omit<CutTask, 'maxModules'>,
  dense: Cut,
  inReserve: number,
): Cut | null {
  const { desired, freeSlots, pool } = situation;
  const later = Math.ceil((largestTotal(situation, pool) - desired) / pool.maxModule);
  const maxModules = Math.min(inReserve, freeSlots.length - 1 - later);
  if (maxModules < 1) return null;
  for (const maxModule of shorterStops(pool)) {
    const cut = cutDensely({ ...task, maxModule, maxModules });
    if (cut !== null && cut.spacing <= dense.spacing) return cut;
  }
  return null;
}

/**
 * Plug steps for new modules, ascending in size, so that every state in between is as dense as it can be,
 * each in the lowest slot that is free by then.
 */
export function plugSteps(situation: Situation, newSizes: readonly Bytes[]): PlugStep[] {
  const placements = placeModules(
    newSizes,
    nodeLoads(situation.observation, () => true).filter(({ node }) => situation.pool.nodes.includes(node)),
  );
  const waits = waitsForOnline(
    situation,
    placements.map((placement) => placement.size),
  );
  return placements.map(({ size, node }, index): PlugStep => {
    const slot = situation.freeSlots[index];
    if (slot === undefined) throw new RangeError('more new modules than free slots');
    return { operation: 'plug', size, node, slot, waitForOnline: waits[index] ?? false };
  });
}

/** `128Mi + 256Mi`, and where, if there is a choice. */
function describePlugs(steps: readonly PlugStep[]): string {
  const nodes = [...new Set(steps.map(({ node }) => node))].sort((a, b) => a - b);
  const total = sizes(steps.map((step) => step.size));
  return nodes.length > 1 || nodes[0] !== 0
    ? `${total} on NUMA ${nodes.length > 1 ? 'nodes' : 'node'} ${nodes.join(', ')}`
    : total;
}
