/** The size of a virtual machine. Pure. */
import { type Bytes, bytes } from '../../memory/bytes.ts';
import { totalOf } from '../../host/rules/total.ts';
import type { Located } from './types.ts';

/** Total guest memory: boot memory, all modules (those that are leaving too) and what other devices give. */
export const computeCurrent = (layout: Located['layout']): Bytes => bytes(totalOf(layout));
