/** How urgent a piece of work is: who waits for it. */

/**
 * - `user`: somebody has just changed what is wanted.
 * - `event`: something has happened, or is expected to, that a resource's state depends on.
 * - `resync`: a look for good measure.
 */
export type Urgency = 'user' | 'event' | 'resync';

/** The most urgent first. */
export const urgencies = ['user', 'event', 'resync'] as const satisfies readonly Urgency[];

/** The more urgent of two. */
export const moreUrgent = (one: Urgency, other: Urgency): Urgency =>
  urgencies.indexOf(one) <= urgencies.indexOf(other) ? one : other;
