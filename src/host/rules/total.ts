/** What a guest has by the count of its host. Pure. */
import type { Bytes } from '../../memory/bytes.ts';
import type { NodeMemory } from '../../memory/module.ts';

/** Sum of boot memory and modules. */
export const totalOf = (layout: {
  readonly boot: readonly NodeMemory[];
  readonly modules: readonly { readonly size: Bytes }[];
}): number =>
  layout.boot.reduce((sum, node) => sum + node.size, 0) + layout.modules.reduce((sum, module) => sum + module.size, 0);
