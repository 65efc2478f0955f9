/** Polling intervals for what nobody tells us, ms. */
export const guestPollMs = 1_000;
/** What a guest has taken up its agent tells; this is for an event that got lost. */
export const lostEventMs = 5_000;
export const longestLatePollMs = 16_000;
export const inUsePollMs = 10_000;
export const slowPollMs = 30_000;
