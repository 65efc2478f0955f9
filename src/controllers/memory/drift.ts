/**
 * Drift: after the size was reached somebody else has changed the modules. What was reached, by which generation and in
 * which run of the VM, stands in `status.drift`; what is done about a change is decided from that alone, so that a
 * restarted controller forgets nothing. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { cutText, memoryStatusBounds } from '../../api/v1alpha1/bounds.ts';
import { timestamp } from '../../api/v1alpha1/conditions.ts';
import type { VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { type Bytes, subtractBytes } from '../../memory/bytes.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import { sizeIn } from './resize.ts';
import { computeCurrent } from './total.ts';
import type { Judgement, Located } from './types.ts';

/**
 * The last convergence. `phase` is what is done about a change since:
 * - `Correcting`: it is brought back, as a size that is wanted anew would be. Begun once it is recorded.
 * - `Reported`: nothing, by the spec.
 * - `Contested`: nothing any more: it was brought back three times within an hour.
 */
export type Drift = NonNullable<VirtualMachineMemoryStatus['drift']>;

/** So often within {@link withinMs}; whoever changes it once more means it. */
const maxCorrections = 3;
const withinMs = 3_600_000;

export type DriftInput = {
  /** As the previous status has it. */
  readonly previous: Drift | undefined;
  readonly judgement: Judgement;
  readonly generation: number;
  /** Somebody asked to retry: it is brought back once more, whatever the policy is. */
  readonly retryNow: boolean;
  /** Whether the VM may be changed. */
  readonly mayAct: boolean;
  /** The controller's clock, epoch ms. */
  readonly nowMs: number;
};

/** Boot memory and modules. What other devices give isn't anybody's drift: virtio-mem comes and goes in small pieces. */
const sizeOf = (layout: Located['layout']): Bytes => subtractBytes(computeCurrent(layout), layout.otherTotal);

/** What was reached, and what is done about a change since; undefined: it wasn't, for this generation in this run. */
export function judgeDrift(input: DriftInput): Drift | undefined {
  const { judgement, generation, retryNow, nowMs } = input;
  const { desired, located, plan } = judgement;
  const { runtimeId: run } = located.observation;
  if (desired.memory === null || run === null) return undefined;
  const runtimeId = cutText(run, memoryStatusBounds.drift.runtimeId);
  const isOfNow = input.previous?.runtimeId === runtimeId && input.previous.generation === generation;
  const known = isOfNow ? input.previous : undefined;
  const current = sizeOf(located.layout);
  if (plan.decision === 'noop') {
    const recent = recentOf(known, nowMs);
    const reached = { generation, runtimeId, size: formatQuantity(current) };
    return recent.length === 0 ? reached : { ...reached, corrections: recent };
  }
  if (known?.size === undefined || known.phase === 'Correcting' || !input.mayAct) return known;
  if (known.phase === undefined && sizeIn(known.size) === current) return known;

  const found = formatQuantity(current);
  const recent = recentOf(known, nowMs);
  const isTried = known.phase === 'Contested' || recent.length >= maxCorrections;
  if (retryNow || (desired.driftPolicy === 'Correct' && !isTried)) {
    const corrections = [...recent, timestamp(nowMs)].slice(-maxCorrections);
    return { ...known, found, phase: 'Correcting', corrections };
  }
  return { ...known, found, phase: desired.driftPolicy === 'Report' ? 'Reported' : 'Contested' };
}

const recentOf = (drift: Drift | undefined, nowMs: number): readonly string[] =>
  (drift?.corrections ?? []).filter((time) => nowMs - Date.parse(time) < withinMs);

/** What is left of a record when the VM is changed for another cause: what is found next is no drift. */
export function forgetSize(drift: Drift | undefined): Drift | undefined {
  if (drift === undefined || drift.phase === 'Correcting') return drift;
  const { size: _, phase: __, found: ___, ...rest } = drift;
  return rest;
}

/** Whether nothing is changed on the VM because somebody else has changed it. */
export const isLeft = (drift: Drift | undefined): boolean =>
  drift?.phase === 'Reported' || drift?.phase === 'Contested';

/** Whether a correction is about to begin that no status tells of yet: it must, before anything is changed. */
export const isUnrecorded = (drift: Drift | undefined, stored: VirtualMachineMemoryStatus | undefined): boolean =>
  drift?.phase === 'Correcting' &&
  // Two may be of one second.
  (stored?.drift?.phase !== 'Correcting' || !isDeepStrictEqual(stored.drift.corrections, drift.corrections));

/** What somebody else did, in words. */
const explainChange = ({ size = '', found = '' }: Drift): string =>
  `somebody else has changed the modules since ${size} was reached: they and boot memory make ${found}`;

/** What is said of one that is brought back. */
export const explainCorrecting = (drift: Drift): string =>
  `${explainChange(drift)}; they are brought back, for the ${ordinal(drift.corrections?.length ?? 1)} time within an hour`;

/** What is said of one that is left as it is. */
export const explainLeft = (drift: Drift): string =>
  drift.phase === 'Reported'
    ? `${explainChange(drift)}; nothing is done about it (driftPolicy Report): change the spec, or request a retry, to bring them back`
    : `${explainChange(drift)}, after they were brought back ${maxCorrections} times within an hour; they are left so: find out ` +
      `who changes them, then change the spec, or request a retry, to bring them back`;

const ordinal = (count: number): string => ['first', 'second', 'third'][count - 1] ?? `${count}th`;
