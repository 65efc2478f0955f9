/**
 * Leader election over a Lease, as client-go does it (tools/leaderelection/leaderelection.go): who holds the lease renews
 * it, and who has seen it unchanged for as long as it says takes it. Pure; times are milliseconds of one process' own
 * monotonic clock, so that no two clocks are ever compared. What is beyond client-go is said where it stands
 * (docs/adr/0036-leader-election-and-its-fence.md).
 */
import { isDeepStrictEqual } from 'node:util';
import type { Lease, LeaseRecord } from './lease.ts';
import { microTime } from './micro-time.ts';
import { isOlder } from './resource-version.ts';

/** client-go's LeaseDuration, RenewDeadline and RetryPeriod. */
export type ElectionTimes = {
  /** How long those that don't hold the lease wait for its holder. */
  readonly leaseMs: number;
  /** After so long without a renewal its holder gives up. Less than the lease, so that two never hold it. */
  readonly deadlineMs: number;
  /** How long between two renewals, and two tries. */
  readonly retryMs: number;
};

/** Why the times don't go together, in words that name the options; null: they do. client-go checks the same. */
export function findTimesProblem({ leaseMs, deadlineMs, retryMs }: ElectionTimes): string | null {
  if (leaseMs <= deadlineMs) return '--leader-elect-lease-duration must be more than --leader-elect-renew-deadline';
  // client-go's JitterFactor.
  if (deadlineMs <= 1.2 * retryMs) {
    return '--leader-elect-renew-deadline must be more than 1.2 times --leader-elect-retry-period';
  }
  return leaseMs % 1_000 === 0 && leaseMs >= 1_000 ? null : '--leader-elect-lease-duration must be whole seconds';
}

/** What a process knows of the election. */
export type Standing = {
  /** null: there is no Lease; undefined: that isn't known yet. */
  readonly lease: Lease | null | undefined;
  /** The Lease isn't that any more: it must be read. */
  readonly isStale: boolean;
  /** Since when the Lease has said what it says. */
  readonly sinceMs: number;
  /** The most that was ever seen: who makes a deleted Lease anew goes on from there. -1: none. */
  readonly transitions: number;
  /** null: it doesn't lead. */
  readonly held: {
    readonly epoch: number;
    /** When the newest renewal that is known to have arrived was sent. */
    readonly renewedMs: number;
    /** When the next one is due. */
    readonly dueMs: number;
  } | null;
  /** A host has heard of a leader with this epoch; 0: none said so. */
  readonly heardEpoch: number;
  /** Nothing is tried before: the last try has failed. */
  readonly notBeforeMs: number;
  /** Why it doesn't lead any more; null: it may still. A process leads once. */
  readonly lost: string | null;
};

export const nothingKnown: Standing = {
  ...{
    lease: undefined,
    isStale: true,
    sinceMs: 0,
    transitions: -1,
    held: null,
    heardEpoch: 0,
    notBeforeMs: 0,
    lost: null,
  },
};

export type ElectionRules = { readonly identity: string; readonly times: ElectionTimes };

export type WriteStep = {
  readonly kind: 'write';
  readonly record: LeaseRecord;
  /** The Lease that this is written over; null: it is made. */
  readonly over: Lease | null;
  /** Whether this makes it the leader, or only leaves it that. */
  readonly acquires: boolean;
  /** {@link Standing.heardEpoch} when it was sent: once it has arrived, whoever has that epoch leads no more. */
  readonly heardEpoch: number;
};

export type Step =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'read' }
  | WriteStep
  | { readonly kind: 'lost'; readonly why: string };

/** Whether it leads for certain: nobody else can hold the lease, as far as it knows and clocks run at one pace. */
export function leads(
  { lease, isStale, held, lost }: Standing,
  { times, identity }: ElectionRules,
  nowMs: number,
): boolean {
  if (held === null || lost !== null || nowMs - held.renewedMs >= times.deadlineMs) return false;
  // A Lease that was deleted is anybody's (beyond client-go, which goes on until its next renewal).
  return !isStale && lease?.record.holder === identity;
}

/** What is to be done now. `wallMs`: the time of day, for people who read the Lease. */
export function decide(standing: Standing, rules: ElectionRules, nowMs: number, wallMs: number): Step {
  const { lease, isStale, sinceMs, held, lost, notBeforeMs } = standing;
  const { times, identity } = rules;
  const endMs = held === null ? Infinity : held.renewedMs + times.deadlineMs;
  if (lost !== null) return { kind: 'lost', why: lost };
  if (nowMs >= endMs) {
    return { kind: 'lost', why: `the lease could not be renewed for ${(nowMs - endMs + times.deadlineMs) / 1_000} s` };
  }
  const at = (dueMs: number, step: () => Step): Step => {
    const nextMs = Math.max(dueMs, notBeforeMs);
    return nowMs >= nextMs ? step() : { kind: 'wait', ms: Math.min(nextMs, endMs) - nowMs };
  };
  if (lease === undefined || isStale) return at(0, () => ({ kind: 'read' }));
  const write = (): Step => computeWrite(standing, rules, wallMs);
  if (lease === null) return at(0, write);
  const { holder, durationMs } = lease.record;
  if (holder === identity) return at(held?.dueMs ?? 0, write);
  return at(holder === '' ? 0 : sinceMs + durationMs, write);
}

function computeWrite(
  { lease, transitions, held, heardEpoch }: Standing,
  { identity, times }: ElectionRules,
  wallMs: number,
): WriteStep {
  const over = lease ?? null;
  const isOurs = over?.record.holder === identity;
  const now = microTime(wallMs);
  const record: LeaseRecord = {
    holder: identity,
    durationMs: times.leaseMs,
    acquireTime: isOurs ? over.record.acquireTime : now,
    renewTime: now,
    transitions: isOurs ? over.record.transitions : transitions + 1,
  };
  return { kind: 'write', record, over, acquires: held === null || over === null, heardEpoch };
}

/** What the Lease says now, `null`: that there is none, as of `version`. What is older than what is known is passed over. */
export function sees(
  standing: Standing,
  { lease, version }: { readonly lease: Lease | null; readonly version: string },
  { identity }: ElectionRules,
  nowMs: number,
): Standing {
  const known = standing.lease;
  if (known && !standing.isStale && isOlder(version, known.metadata.resourceVersion) === true) return standing;
  const isSame = known && lease && isDeepStrictEqual(known.record, lease.record);
  const { held } = standing;
  const holder = lease?.record.holder;
  const isLost = held !== null && lease !== null && holder !== identity;
  return {
    ...standing,
    lease,
    isStale: false,
    sinceMs: isSame === true ? standing.sinceMs : nowMs,
    transitions: Math.max(standing.transitions, lease?.record.transitions ?? -1),
    lost: isLost ? (holder === '' ? 'somebody has released the lease' : `${holder} holds the lease`) : standing.lost,
  };
}

/** The write has arrived, and the Lease is as `lease` says. @param sentMs when it was sent */
export function wrote(
  standing: Standing,
  { step, lease, sentMs }: { readonly step: WriteStep; readonly lease: Lease; readonly sentMs: number },
  rules: ElectionRules,
  nowMs: number,
): Standing {
  const next = sees(standing, { lease, version: lease.metadata.resourceVersion }, rules, nowMs);
  // The resource version of the write that made it the leader: it grows over all that is ever written, so that a later
  // leader has a larger one, also of a Lease that was deleted and made anew.
  const mine = step.acquires ? Number(lease.metadata.resourceVersion) : (standing.held?.epoch ?? 0);
  const epoch = Math.max(mine, step.heardEpoch >= mine ? step.heardEpoch + 1 : 0);
  const held = { epoch, renewedMs: sentMs, dueMs: sentMs + rules.times.retryMs };
  return { ...next, held, notBeforeMs: 0 };
}

/**
 * A try has failed, and nobody knows whether it arrived. The next is due so long after it was sent: one that wasn't
 * answered in time has waited enough.
 */
export const failed = (standing: Standing, retryMs: number, sentMs: number): Standing => ({
  ...standing,
  notBeforeMs: sentMs + retryMs,
});

/** A write has shown that the Lease isn't as it was known. */
export const outdated = (standing: Standing): Standing => ({ ...standing, isStale: true });

/**
 * A host knows a leader that is newer, with this epoch: the lease is renewed at once. If that succeeds nobody else leads
 * (the history of the API server went back, as a restored backup does), and a larger epoch is taken.
 */
export function hears(standing: Standing, newestEpoch: number, nowMs: number): Standing {
  const { held } = standing;
  // An answer to what was sent before it took its epoch.
  if (held === null || newestEpoch < held.epoch) return standing;
  return {
    ...standing,
    heardEpoch: Math.max(standing.heardEpoch, newestEpoch),
    held: { ...held, dueMs: Math.min(held.dueMs, nowMs) },
  };
}
