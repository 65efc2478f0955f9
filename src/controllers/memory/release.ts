/**
 * Releasing: a resource with `deletionPolicy: Release` is being deleted, and the modules that Dimmer plugged are taken out
 * first, as far as the guest lets them go. Only the resource whose claim stands with the VM does that, and nothing holds
 * a deletion up for longer than `releaseTimeout` from its deletionTimestamp. How far it has come stands in
 * `status.release`. Pure.
 */
import { timestamp } from '../../api/v1alpha1/conditions.ts';
import { releaseFinalizer } from '../../api/v1alpha1/meta.ts';
import { eventOf } from '../../api/v1alpha1/reasons.ts';
import type { DesiredMemory } from '../../api/v1alpha1/spec.ts';
import type { VirtualMachineMemory, VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { DomainObservation } from '../../host/port.ts';
import { type Bytes, bytes, subtractBytes, sumBytes } from '../../memory/bytes.ts';
import type { GuestSafety } from '../../memory/policies.ts';
import { isOwnAlias } from '../../memory/module.ts';
import { formatQuantity } from '../../memory/quantity.ts';
import type { Result } from '../../memory/result.ts';
import type { Plan, PlanInputError, PlannerModule, PlannerObservation } from '../../planner/types.ts';
import type { RecordedEvent } from '../../runtime/resources.ts';
import { sizeIn } from './resize.ts';
import type { Judgement, Outcome, Problem } from './types.ts';

type Metadata = Pick<VirtualMachineMemory['metadata'], 'deletionTimestamp' | 'finalizers'>;

/** Whether a deletion waits for what the controller does first. */
export const hasFinalizer = ({ finalizers = [] }: Metadata): boolean => finalizers.includes(releaseFinalizer);

/**
 * The finalizers that a resource that isn't being deleted should have; null: those that it has.
 * @param observeOnly what isn't going to be done isn't promised
 */
export function computeFinalizers(
  { metadata, spec }: VirtualMachineMemory,
  observeOnly: boolean,
): readonly string[] | null {
  if (spec.deletionPolicy !== 'Release') return hasFinalizer(metadata) ? withoutFinalizer(metadata) : null;
  return observeOnly || hasFinalizer(metadata) ? null : [...(metadata.finalizers ?? []), releaseFinalizer];
}

/** The finalizers of others. */
export const withoutFinalizer = ({ finalizers = [] }: Metadata): readonly string[] =>
  finalizers.filter((finalizer) => finalizer !== releaseFinalizer);

/** For a spec that can't be read. */
const defaultTimeoutMs = 600_000;

/** Until when the deletion of a resource is held up, by the API server's clock, epoch ms; null: it isn't. */
export function findDeadlineMs(metadata: Metadata, desired: Result<DesiredMemory, string>): number | null {
  if (metadata.deletionTimestamp === undefined || !hasFinalizer(metadata)) return null;
  const startedMs = Date.parse(metadata.deletionTimestamp);
  return startedMs + (desired.ok ? desired.value.releaseTimeoutMs : defaultTimeoutMs);
}

/** Nobody watches a deletion: what isn't judged otherwise is judged then. */
export const safetyOf = ({ guestSafety }: Pick<DesiredMemory, 'guestSafety'>): GuestSafety =>
  guestSafety === 'Off' ? 'Required' : guestSafety;

type Module = { readonly alias: string; readonly size: Bytes };

/** The modules that Dimmer plugged. */
export const ownOf = <M extends Pick<Module, 'alias'>>(modules: readonly M[]): readonly M[] =>
  modules.filter(({ alias }) => isOwnAlias(alias));

/** What the planner is told: what somebody else plugged is a device like any other, unless it is leaving anyway. */
export function sparingOthers(seen: PlannerObservation): PlannerObservation {
  const isSpared = ({ alias, state }: PlannerModule): boolean => !isOwnAlias(alias) && state !== 'Leaving';
  const spared = seen.modules.filter(isSpared);
  const size = sumBytes(spared.map((module) => module.size));
  return {
    ...seen,
    modules: seen.modules.filter((module) => !isSpared(module)),
    otherBytes: bytes(seen.otherBytes + size),
    otherTotal: bytes((seen.otherTotal ?? 0) + size),
    slots: { ...seen.slots, usedByOthers: [...seen.slots.usedByOthers, ...spared.map(({ slot }) => slot)] },
  };
}

/**
 * The plan that takes out what can go: all of it, else the largest module that the guest can spare and isn't known to
 * refuse. Where nothing can, it says why not all of it.
 * @param current total of the VM
 * @param planTo the plan that leads to exactly that size
 */
export function planRelease(
  modules: readonly Module[],
  current: Bytes,
  planTo: (target: Bytes) => Result<Plan, PlanInputError>,
): Result<Plan, PlanInputError> {
  const sizes = ownOf(modules).map(({ size }) => size);
  const whole = planTo(subtractBytes(current, sumBytes(sizes)));
  if (!whole.ok || whole.value.decision !== 'blocked') return whole;
  for (const size of [...new Set(sizes)].toSorted((a, b) => b - a)) {
    const part = planTo(subtractBytes(current, size));
    if (part.ok && (part.value.decision === 'unplug' || part.value.decision === 'wait')) return part;
  }
  return whole;
}

/** What of it is still plugged, as far as is known. */
export type Left = {
  readonly modules: readonly { readonly alias: string; readonly size: Bytes }[];
  /** Whether the VM was seen now. */
  readonly isSeen: boolean;
};

/** What was last known, by what was met last. */
export function findLeft(
  previous: VirtualMachineMemoryStatus,
  judgement: Judgement | null,
  problem: Problem | null,
): Left {
  const observation: DomainObservation | undefined = problem?.observation ?? judgement?.located.observation;
  if (observation !== undefined && (problem === null || problem.observation !== undefined)) {
    return { modules: ownOf(observation.layout?.modules ?? []), isSeen: true };
  }
  const known = observation?.layout?.modules ?? previous.modules ?? [];
  const sized = known.map(({ alias, size }) => ({ alias, size: typeof size === 'string' ? sizeIn(size) : size }));
  return {
    modules: ownOf(sized).flatMap(({ alias, size }) => (size === null ? [] : [{ alias, size }])),
    isSeen: false,
  };
}

/** How far it has come, as the status says it. */
export const computeRelease = (deadlineMs: number, { modules }: Left): VirtualMachineMemoryStatus['release'] => ({
  deadline: timestamp(deadlineMs),
  left: formatQuantity(sumBytes(modules.map(({ size }) => size))),
});

/** Why nothing is taken out at all, whatever the VM is like; null: it is. */
export function findWaiver(desired: Result<DesiredMemory, string>, pausedBy: string | null): string | null {
  if (!desired.ok) return `the spec can't be read (${desired.error})`;
  if (desired.value.deletionPolicy !== 'Release') return `spec.deletionPolicy is ${desired.value.deletionPolicy}`;
  return pausedBy === null ? null : `it is paused by ${pausedBy}`;
}

export type EndInput = {
  readonly outcome: Outcome;
  readonly judgement: Judgement | null;
  readonly problem: Problem | null;
  readonly deadlineMs: number;
  /** The controller's clock, epoch ms. */
  readonly nowMs: number;
  /** How it stands, in words. */
  readonly standing: string;
};

/** Whether nobody holds the VM, and nothing that Dimmer plugged is there. */
const isBare = ({ claim, layout }: DomainObservation): boolean =>
  claim === null && layout !== null && ownOf(layout.modules).length === 0;

/** Whether a release has come to its end, and what kept it from being complete (`why` null: nothing); null: it goes on. */
export function judgeEnd(input: EndInput): { readonly why: string | null } | null {
  const { outcome, judgement, problem, standing } = input;
  if (problem?.observation !== undefined && isBare(problem.observation)) return { why: null };
  // What a VM that isn't running had went with its QEMU process.
  if (problem !== null && (!problem.retry || problem.reason === 'VMNotRunning')) return { why: problem.message };
  if (problem === null && outcome.kind === 'released' && ownOf(judgement?.located.layout.modules ?? []).length === 0) {
    return { why: null };
  }
  return input.nowMs < input.deadlineMs ? null : { why: `spec.releaseTimeout is over: ${standing}` };
}

/** The event that says how a release ended. @param why what kept it from being complete; null: nothing did */
export function computeReleaseEvent(why: string | null, vm: string, left: Left): RecordedEvent {
  const action = 'Release';
  if (why === null) {
    const message = `${vm} has none of the modules that Dimmer plugged any more, and nobody acts on it`;
    return { ...eventOf('Released'), action, message };
  }
  const modules = left.modules.map(({ alias, size }) => `${alias} (${formatQuantity(size)})`).join(', ');
  const there = left.isSeen ? 'stays plugged' : 'was plugged when it was last seen';
  const stays = modules === '' ? `nothing that Dimmer plugged ${there}` : `what Dimmer plugged ${there}: ${modules}`;
  // An event has room for 1024 bytes: what stays comes first.
  return { ...eventOf('ReleaseIncomplete'), action, message: `${vm}: ${stays}; ${why}` };
}
