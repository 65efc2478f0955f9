/** How often a silent guest is asked for the same module. Pure. */
import { computeDelayMs } from '../../runtime/backoff.ts';

const limits = { initialMs: 5_000, maxMs: 300_000 };

/** How long after its `attempts`th request it is asked again: 5, 10, 20 s and so on, at most 5 min. @param attempts 1 or more */
export const computeRepeatMs = (attempts: number): number => computeDelayMs(attempts - 1, limits);
