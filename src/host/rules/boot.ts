/** What is known of a guest's boot, and of what it has reported since. Pure. Times are epoch milliseconds of the host's clock. */
import type { DomainState } from '../port.ts';

/** Statistics are judged by for this long after the guest reported them. */
export const statisticsFreshMs = 10_000;
/** A guest that doesn't report is left alone for this long after it booted or was first seen. */
export const bootWindowMs = 60_000;

/** Whether a QEMU process runs in this state. */
export function isActiveState(state: DomainState): boolean {
  switch (state) {
    case 'Running':
    case 'Blocked':
    case 'Paused':
    case 'Suspended':
    case 'ShuttingDown':
      return true;
    case 'ShutOff':
    case 'Crashed':
    case 'Unknown':
      return false;
  }
}

/** Whether the guest runs: one that is paused, suspended or shut down takes no memory, gives none and says nothing. */
export const isGuestRunning = (state: DomainState): boolean => state === 'Running' || state === 'Blocked';

/** What {@link isBooting} judges. Times are epoch milliseconds of the host's clock. */
export type BootEvidence = {
  readonly state: DomainState;
  /** When the guest last started or was reset, as far as the agent has heard; null: before the agent looked. */
  readonly bootedAtMs: number | null;
  /** When the agent first saw this run of the domain. */
  readonly firstSeenAtMs: number;
  /** When the guest last reported statistics; null: never. */
  readonly reportedAtMs: number | null;
};

/**
 * Whether the guest may still be booting: it has reported no statistics since it booted, and booted (or was first
 * seen) less than {@link bootWindowMs} ago. A paused guest isn't booting: it does nothing at all.
 */
export function isBooting(evidence: BootEvidence, nowMs: number): boolean {
  if (!isGuestRunning(evidence.state)) return false;
  if (isReportOfThisBoot(evidence)) return false;
  return nowMs - (evidence.bootedAtMs ?? evidence.firstSeenAtMs) < bootWindowMs;
}

/**
 * Whether the guest has reported since it booted. When the agent didn't see the guest boot, only a report that was
 * fresh when the agent first saw the domain counts: a reset may have gone unnoticed before. libvirt gives whole
 * seconds, rounded down, so a report in the very second of the boot doesn't count either.
 */
export function isReportOfThisBoot(evidence: Omit<BootEvidence, 'state'>): boolean {
  const { bootedAtMs, firstSeenAtMs, reportedAtMs } = evidence;
  return reportedAtMs !== null && reportedAtMs >= (bootedAtMs ?? firstSeenAtMs - statisticsFreshMs);
}

/** Whether a report can be judged by: at most {@link statisticsFreshMs} old and from the present boot. */
export function isFreshReport(evidence: Omit<BootEvidence, 'state'>, nowMs: number): boolean {
  const { reportedAtMs } = evidence;
  return reportedAtMs !== null && isReportOfThisBoot(evidence) && nowMs - reportedAtMs <= statisticsFreshMs;
}

/**
 * Since when the guest has booted and its modules are as they are. Where the agent has heard of neither, it is as long
 * before its first look as a report may be old that was fresh then; see {@link isReportOfThisBoot}.
 * @param changedAtMs when the modules were last seen to change; null: they weren't
 */
export const unchangedSince = (
  { bootedAtMs, firstSeenAtMs }: Pick<BootEvidence, 'bootedAtMs' | 'firstSeenAtMs'>,
  changedAtMs: number | null,
): number => Math.max(bootedAtMs ?? firstSeenAtMs - statisticsFreshMs, changedAtMs ?? 0);
