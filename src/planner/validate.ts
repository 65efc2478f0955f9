/** Requests that make no sense, told apart from requests that can't be met. */
import { isBytes } from '../memory/bytes.ts';
import { lcm } from './integers.ts';
import { maxSlots } from '../memory/module.ts';
import { growPolicies, guestSafeties, roundings, shrinkPolicies } from '../memory/policies.ts';
import { isTractable } from './sum-space.ts';
import type { PlannerModule, PlannerObservation, PlannerPolicy, PlanInputError, PlanRequest } from './types.ts';
import { counted } from '../memory/lines.ts';

const problem = (field: string, text: string): PlanInputError => ({ field, problem: text });
const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const notBytes = 'must be a whole number of bytes between 0 and 2^53-1';
const notPositive = 'must be a whole, positive number of bytes, at most 2^53-1';

/** The first thing wrong with `request`; null when it makes sense. */
export function findInputError({ desired, observation, policy }: PlanRequest): PlanInputError | null {
  return (
    (isBytes(desired) ? null : problem('desired', notBytes)) ??
    findBootError(observation) ??
    findSlotsError(observation) ??
    findModulesError(observation) ??
    findLimitsError(observation) ??
    findBackingsError(observation) ??
    findSumError(observation) ??
    findPolicyError(policy)
  );
}

function findBootError({ boot }: PlannerObservation): PlanInputError | null {
  const nodes = new Set<number>();
  let total = 0;
  for (const [index, { node, size }] of boot.entries()) {
    if (!isCount(node)) return problem(`boot[${index}].node`, 'must be a whole number, 0 or more');
    if (nodes.has(node)) return problem(`boot[${index}].node`, `node ${node} is there twice`);
    if (!isBytes(size)) return problem(`boot[${index}].size`, notBytes);
    nodes.add(node);
    total += size;
  }
  return total > 0 ? null : problem('boot', 'boot memory must be known and not 0');
}

function findSlotsError({ slots }: PlannerObservation): PlanInputError | null {
  if (!isCount(slots.total) || slots.total > maxSlots) {
    return problem('slots.total', `must be a whole number between 0 and ${maxSlots}`);
  }
  for (const field of ['usedByOthers', 'resting'] as const) {
    const wrong = slots[field].findIndex((slot) => !isCount(slot) || slot >= slots.total);
    if (wrong >= 0) return problem(`slots.${field}[${wrong}]`, outsideSlots(slots.total));
  }
  return null;
}

const outsideSlots = (total: number): string =>
  total === 0 ? 'the virtual machine has no slots' : `must be a slot number between 0 and ${total - 1}`;

function findModulesError(observation: PlannerObservation): PlanInputError | null {
  const { boot, modules, slots } = observation;
  const nodes = new Set(boot.map(({ node }) => node));
  const aliases = new Set<string>();
  const held = new Set(slots.usedByOthers);
  if (modules.length > slots.total) {
    return problem('modules', `${counted(modules.length, 'module')} do not fit into ${counted(slots.total, 'slot')}`);
  }
  for (const [index, module] of modules.entries()) {
    const found = findModuleError(module, slots.total, nodes);
    if (found !== null) return problem(`modules[${index}].${found.field}`, found.problem);
    if (held.has(module.slot)) return problem(`modules[${index}].slot`, `slot ${module.slot} is taken twice`);
    if (aliases.has(module.alias)) return problem(`modules[${index}].alias`, `'${module.alias}' is there twice`);
    held.add(module.slot);
    // libvirt may not know one; then it is empty.
    if (module.alias !== '') aliases.add(module.alias);
  }
  return null;
}

function findModuleError(module: PlannerModule, slots: number, nodes: ReadonlySet<number>): PlanInputError | null {
  if (!isBytes(module.size) || module.size === 0) return problem('size', notPositive);
  if (!isCount(module.slot) || module.slot >= slots) return problem('slot', outsideSlots(slots));
  if (!nodes.has(module.node)) return problem('node', `the guest has no NUMA node ${module.node}`);
  if (!isBytes(module.base)) return problem('base', notBytes);
  if (!isCount(module.refusals)) return problem('refusals', 'must be a whole number, 0 or more');
  return null;
}

function findLimitsError(observation: PlannerObservation): PlanInputError | null {
  const { granularity, pageSize, otherBytes, otherTotal = 0, maxMemory, hostFree, hugepagesFree, guest } = observation;
  const { namespaceFree = null } = observation;
  if (!isBytes(granularity) || granularity === 0) return problem('granularity', notPositive);
  if (pageSize !== null && (!isBytes(pageSize) || pageSize === 0)) return problem('pageSize', notPositive);
  if (!isBytes(lcm(granularity, pageSize ?? 1))) {
    return problem('pageSize', 'has no common multiple with the granularity below 2^53');
  }
  if (!isBytes(otherBytes)) return problem('otherBytes', notBytes);
  if (!isBytes(otherTotal) || otherTotal > otherBytes) {
    return problem('otherTotal', 'must be a whole number of bytes, at most otherBytes');
  }
  if (maxMemory !== 'unlimited' && maxMemory !== 'unsupported' && !isBytes(maxMemory)) {
    return problem('maxMemory', notBytes);
  }
  if (hostFree !== null && !isBytes(hostFree)) return problem('hostFree', notBytes);
  if (hugepagesFree !== null && !isBytes(hugepagesFree)) return problem('hugepagesFree', notBytes);
  if (namespaceFree !== null && !isBytes(namespaceFree)) return problem('namespaceFree', notBytes);
  if (guest !== null && !isBytes(guest.usable)) return problem('guest.usable', notBytes);
  if (guest !== null && !isBytes(guest.total)) return problem('guest.total', notBytes);
  if (guest?.takenOfModules !== undefined && !isBytes(guest.takenOfModules)) {
    return problem('guest.takenOfModules', notBytes);
  }
  return null;
}

function findBackingsError({ backings = [], boot, granularity }: PlannerObservation): PlanInputError | null {
  if (backings.length === 0) return null;
  const nodes = backings.flatMap((backing) => backing.nodes);
  if (boot.some(({ node }) => nodes.filter((other) => other === node).length !== 1) || nodes.length !== boot.length) {
    return problem('backings', 'must name every guest node once');
  }
  const wrong = backings.findIndex(
    ({ pageSize }) =>
      pageSize !== null && (!isBytes(pageSize) || pageSize === 0 || !isBytes(lcm(granularity, pageSize))),
  );
  return wrong < 0 ? null : problem(`backings[${wrong}].pageSize`, notPositive);
}

/** No sum of sizes may round, and the subsets' sums must be possible to tabulate. */
function findSumError({ boot, modules, otherBytes }: PlannerObservation): PlanInputError | null {
  const sizes = modules.map(({ size }) => size);
  const withBoot = boot.reduce((sum, { size }) => sum + size, 0) + otherBytes;
  const tooMuch = 'all memory together is more than 2^53-1 bytes';
  if (!isBytes(withBoot)) return problem('boot', tooMuch);
  if (!isBytes(sizes.reduce((sum: number, size) => sum + size, withBoot))) return problem('modules', tooMuch);
  return isTractable(sizes)
    ? null
    : problem('modules', `${sizes.length} modules of odd sizes have too many different sums to plan exactly`);
}

function findPolicyError(policy: PlannerPolicy): PlanInputError | null {
  const oneOf = <T extends string>(field: string, value: T, words: readonly T[]): PlanInputError | null =>
    words.includes(value) ? null : problem(field, `must be one of ${words.join(', ')}`);
  return (
    oneOf('policy.shrink', policy.shrink, shrinkPolicies) ??
    oneOf('policy.grow', policy.grow, growPolicies) ??
    oneOf('policy.guestSafety', policy.guestSafety, guestSafeties) ??
    oneOf('policy.rounding', policy.rounding ?? 'Exact', roundings)
  );
}
