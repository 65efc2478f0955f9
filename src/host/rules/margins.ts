/** What must stay usable in a guest. Pure. */
import type { Bytes } from '../../memory/bytes.ts';
import { unplugMargin } from '../../planner/guest-safety.ts';

/** What a guest of `total` must keep when the agent takes a module by itself: what a plan would let it keep. */
export const leastUsableAfter = (total: Bytes): Bytes => unplugMargin(total);
