/**
 * Refusals and quarantine: a module that the guest refused to give up isn't asked for again before a growing delay.
 * The count lives in the resource's status, so that a restarted controller doesn't ask anew.
 */
import type { ModuleStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { computeDelayMs } from '../../runtime/backoff.ts';
import type { ObservedModule } from '../../host/port.ts';
import type { KnownModule } from './types.ts';

/** How long a module rests after its first refusal; each further one doubles that. */
const quarantine = { initialMs: 60_000, maxMs: 3_600_000 };

/** A base address as it stands in status. */
export const formatBase = (base: number): string => `0x${base.toString(16)}`;

/**
 * The plugged modules with their refusals. A refusal is counted once: when its time differs from the one in status.
 * @param previous modules of the previous status, of the same running domain
 * @param hostNowMs the host's clock, epoch ms (refusals go by it too)
 * @param retryNow whether somebody asked to retry at once: nothing is quarantined then
 */
export function withHistory(
  observed: readonly ObservedModule[],
  previous: readonly ModuleStatus[],
  hostNowMs: number,
  retryNow: boolean,
): readonly KnownModule[] {
  return observed.map((module) => {
    const before = previous.find((entry) => entry.slot === module.slot && entry.base === formatBase(module.base));
    const countedAtMs = before?.refusedAt === undefined ? null : Date.parse(before.refusedAt);
    const isNew = module.refusedAtMs !== null && (countedAtMs === null || module.refusedAtMs > countedAtMs);
    const refusals = (before?.refusals ?? 0) + (isNew ? 1 : 0);
    const refusedAtMs = isNew ? module.refusedAtMs : countedAtMs;
    const endsMs = refusedAtMs === null ? null : refusedAtMs + computeDelayMs(refusals - 1, quarantine);
    const retryAfterMs = endsMs !== null && endsMs > hostNowMs && !retryNow ? endsMs : null;
    return { ...module, history: { refusals, refusedAtMs, retryAfterMs } };
  });
}
