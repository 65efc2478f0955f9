/** The size of a virtual machine. Pure. */
import { type Bytes, sumBytes } from '../../memory/bytes.ts';
import type { Located } from './types.ts';

/** Total guest memory: boot memory plus all modules, those that are leaving too. */
export const computeCurrent = (layout: Located['layout']): Bytes =>
  sumBytes([...layout.boot, ...layout.modules].map(({ size }) => size));
