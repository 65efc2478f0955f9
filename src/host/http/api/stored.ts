/** What the agent says of a VM's stored definition: what it would be started with. */
import { described, object } from '../../../memory/shape.ts';
import { bytes, flag, orNull, text, whole } from './words.ts';

export const storedMemory = described(
  object({
    memory: orNull(
      object({
        boot: bytes('Boot memory'),
        total: bytes('What the guest has after a start from it'),
        maxMemory: orNull(bytes('Maximum'), 'null: nothing can be plugged'),
        slots: whole('Slots of the VM'),
      }),
      'null: there is none, or it cannot be understood',
    ),
    isTransient: flag('The VM has no stored definition'),
    isSame: flag('It has the modules of the running VM, and no other'),
    obstacle: orNull(
      text('Why'),
      'Why the modules of the running VM cannot be written to it, or would mean something else there, with the way out; null: they can',
    ),
  }),
  'The stored definition, beside the running VM',
);
