/**
 * A VM's memory as a mainboard: a frame a NUMA node with its soldered bank and its modules, and the slots that hold nothing of
 * ours; with a plan, what of it leaves and what comes. Pure.
 */
import type { ModuleStatus, VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, bytes, zeroBytes } from '../../../memory/bytes.ts';
import { formatQuantity, parseQuantity } from '../../../memory/quantity.ts';
import type { PlanStep } from '../../../planner/types.ts';
import { age } from '../../../view/layout.ts';
import { rangesOf } from '../../../view/slot-picture.ts';

/** How it is with a slot, or becomes by a plan. */
export type SlotState =
  'plugged' | 'leaving' | 'refused' | 'asked-again' | 'resting' | 'other' | 'free' | 'goes' | 'comes';

export type Slot = {
  readonly slot: number;
  readonly state: SlotState;
  /** Canonical text; empty: no module. */
  readonly size: string;
  /** Of the largest module there is or comes, 0 to 1. */
  readonly share: number;
  /** What is said of it, in a few words; empty: nothing. */
  readonly note: string;
  /** The step of the plan that it is, from 1; null: none. */
  readonly step: number | null;
};

export type Frame = {
  readonly node: number;
  readonly boot: string;
  readonly bootShare: number;
  readonly slots: readonly Slot[];
};

export type Board = {
  readonly frames: readonly Frame[];
  /** Slots without a module: what isn't of a node. Those that are merely free are counted only. */
  readonly empty: readonly Slot[];
  readonly free: readonly number[];
  readonly used: number;
  readonly total: number;
};

/** Words of a state, for legends and screen readers. */
export const stateWords: Readonly<Record<SlotState, string>> = {
  plugged: 'plugged',
  leaving: 'leaving',
  refused: 'refused',
  'asked-again': 'was refused once',
  resting: 'resting',
  other: 'taken by another device',
  free: 'free',
  goes: 'would leave',
  comes: 'would come',
};

export const sizeIn = (text: string | undefined): Bytes => {
  const parsed = text === undefined ? null : parseQuantity(text);
  return parsed?.ok === true ? parsed.value : zeroBytes;
};

/** What a module says of itself. @param nowMs epoch milliseconds */
function stateOf(module: ModuleStatus, nowMs: number): Pick<Slot, 'state' | 'note'> {
  const { state, refusals = 0, refusedAt, retryAfter, leavingSince } = module;
  if (state === 'Leaving') {
    const since = leavingSince === undefined ? '' : ` for ${age(nowMs - Date.parse(leavingSince))}`;
    return { state: 'leaving', note: `asked to leave${since}` };
  }
  const times = refusals > 1 ? ` ${refusals} times` : '';
  if (retryAfter !== undefined && Date.parse(retryAfter) > nowMs) {
    return { state: 'refused', note: `refused${times}, asked again in ${age(Date.parse(retryAfter) - nowMs)}` };
  }
  if (state === 'Refused') return { state: 'refused', note: `refused${times}` };
  if (refusedAt !== undefined)
    return { state: 'asked-again', note: `refused ${age(nowMs - Date.parse(refusedAt))} ago, may be asked again` };
  return { state: 'plugged', note: '' };
}

/** `steps`: of a plan that is shown on it. @param nowMs epoch milliseconds */
export function boardOf(resource: VirtualMachineMemory, steps: readonly PlanStep[], nowMs: number): Board {
  const { status = {} } = resource;
  const { modules = [], planning } = status;
  const boot = planning?.boot ?? [{ node: 0, size: status.memory?.boot ?? '0' }];
  const coming = steps.flatMap((step, index) => (step.operation === 'plug' ? [{ ...step, order: index + 1 }] : []));
  const largest = Math.max(1, ...modules.map(({ size }) => sizeIn(size)), ...coming.map(({ size }) => size));
  const goes = new Map(steps.map((step, index) => [step.operation === 'unplug' ? step.slot : -1, index + 1]));
  const there = modules.map((module) => {
    const step = goes.get(module.slot) ?? null;
    const said = step === null ? stateOf(module, nowMs) : { state: 'goes' as const, note: 'would leave' };
    const { slot, size, node } = module;
    return { node, slot: { slot, size, share: sizeIn(size) / largest, step, ...said } };
  });
  const arriving = coming.map(({ slot, size, node, order }) => ({
    node,
    slot: {
      ...{ slot, size: formatQuantity(size), share: size / largest, step: order },
      ...{ state: 'comes' as const, note: 'would come' },
    },
  }));
  const all: readonly { readonly node: number; readonly slot: Slot }[] = [...there, ...arriving];
  const nodes = [...new Set([...boot.map(({ node }) => node), ...all.map(({ node }) => node)])].sort((a, b) => a - b);
  const mostBoot = Math.max(1, ...boot.map(({ size }) => sizeIn(size)));
  const frames = nodes.map((node): Frame => {
    const own = bytes(boot.filter((bank) => bank.node === node).reduce((sum, { size }) => sum + sizeIn(size), 0));
    const slots = all.filter((one) => one.node === node).map(({ slot }) => slot);
    slots.sort((a, b) => a.slot - b.slot || (a.step ?? 0) - (b.step ?? 0));
    return { node, boot: formatQuantity(own), bootShare: own / mostBoot, slots };
  });
  return { frames, ...emptySlots(status, new Set(all.map(({ slot }) => slot.slot))) };
}

function emptySlots(
  status: NonNullable<VirtualMachineMemory['status']>,
  shown: ReadonlySet<number>,
): Omit<Board, 'frames'> {
  const { total = 0, used = 0 } = status.slots ?? {};
  const { usedByOthers = [], resting = [] } = status.planning?.slots ?? {};
  const empty = (slot: number, state: SlotState, note: string): Slot => ({
    ...{ slot, state, note },
    ...{ size: '', share: 0, step: null },
  });
  const special = [
    ...usedByOthers.map((slot) => empty(slot, 'other', 'taken by another device')),
    ...resting
      .filter((slot) => !shown.has(slot))
      .map((slot) => empty(slot, 'resting', 'its module has just left: free within a minute')),
  ].sort((a, b) => a.slot - b.slot);
  const taken = new Set([...shown, ...usedByOthers, ...resting]);
  const free = Array.from({ length: total }, (_, slot) => slot).filter((slot) => !taken.has(slot));
  return { empty: special, free, used, total };
}

/** Free slots as ranges: `4–15, 17`. */
export const freeText = (numbers: readonly number[]): string => rangesOf(numbers, '–');
