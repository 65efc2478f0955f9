/** Marks as observations show them. */
import type { Mark } from '../memory/operation-state.ts';
import type { ObservedMark } from './port.ts';

/** The part of a mark that callers learn; null: the module isn't leaving. */
export const toObservedMark = (mark: Mark | undefined): ObservedMark | null =>
  mark === undefined
    ? null
    : {
        generation: mark.generation,
        firstAskedAtMs: mark.firstAskedAtMs,
        lastAskedAtMs: mark.lastAskedAtMs,
        attempts: mark.attempts,
      };
