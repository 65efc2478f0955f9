/** What must stay usable in a guest when memory is taken from it: for the planner, and for an agent that acts by itself. */
import { type Bytes, bytes, MiB } from './bytes.ts';

/** The least that stays usable whatever the guest's size. */
const minMargin = 128 * MiB;
/** 5 % of the total. */
const marginDivisor = 20;

/** What must stay usable in a guest of `total` after an unplug: the larger of 128 MiB and 5 % of its total. */
export const unplugMargin = (total: Bytes): Bytes => bytes(Math.max(minMargin, Math.ceil(total / marginDivisor)));
