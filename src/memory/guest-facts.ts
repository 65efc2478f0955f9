/** What is known of a guest before anything is plugged into it: words that agent and controller share. */
import type { Bytes } from './bytes.ts';

/** Whether the guest could report its memory, by the domain's definition. */
export const balloonDevices = [
  /** No memory balloon. */
  'None',
  /** A balloon whose statistics are off (`<stats period>` absent or 0). */
  'StatisticsOff',
  'StatisticsOn',
] as const;
export type BalloonDevice = (typeof balloonDevices)[number];

/** Operating systems that take memory otherwise than Linux does; a hint from the definition. */
export const guestSystems = ['Windows'] as const;
export type GuestSystem = (typeof guestSystems)[number];

/** Why the guest agent said nothing. */
export const guestAgentProblems = [
  /** The domain has no channel for it. */
  'NoChannel',
  /** It doesn't run, or doesn't answer in time. */
  'Silent',
  /** It answers, and not that. */
  'Refused',
] as const;
export type GuestAgentProblem = (typeof guestAgentProblems)[number];

/** Memory blocks of the guest, by its agent. Counts of blocks. */
export type GuestBlocks = { readonly size: Bytes; readonly online: number; readonly offline: number };

/** What the guest agent said when it was last asked; one of the two is null. For people: nothing is decided by it. */
export type GuestAgentWord = { readonly blocks: GuestBlocks | null; readonly problem: GuestAgentProblem | null };
