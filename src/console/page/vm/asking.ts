/** From a press on the button to what stands there: a dry run first, then the write; each answer that needs a person asks one. */
import { type Signal, signal } from '@preact/signals';
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';
import type { Result } from '../../../memory/result.ts';
import type { AnnotationWish, Item, MemoryAnswer } from '../../wire.ts';
import { wishText } from '../model/words.ts';
import { endSession, learn, secret } from '../store.ts';
import { annotate, type Failure, setMemory } from '../wire/client.ts';

/** What is asked for. `way`: the policy that is set with the size; null: that of the spec stays. */
export type Wish = { readonly memory: string; readonly way: ShrinkPolicy | null };

export type Asking =
  | { readonly kind: 'idle' }
  | { readonly kind: 'busy'; readonly doing: string }
  /** `by`: where it stands now, for people. */
  | { readonly kind: 'done'; readonly said: string }
  | { readonly kind: 'refused'; readonly message: string }
  /** It isn't what was decided from any more; null: it is gone. */
  | { readonly kind: 'changed'; readonly wish: Wish; readonly force: boolean; readonly item: Item | null }
  | {
      readonly kind: 'owned';
      readonly wish: Wish;
      readonly onto: Onto;
      readonly writers: Item['writers'];
    };

/** What was decided from. */
type Onto = {
  readonly resourceVersion: string;
  readonly force: boolean;
  /** Sizes were compared, and no plan was seen. Absent: a plan was. */
  readonly anyPlan?: boolean;
};

export type Asker = {
  readonly state: Signal<Asking>;
  /** Sets a size. `force`: also where others write it. */
  ask(wish: Wish, onto: Onto): Promise<void>;
  annotate(what: AnnotationWish): Promise<void>;
  dismiss(): void;
};

const doneWords: Readonly<Record<AnnotationWish, string>> = {
  pause: 'Paused: nothing is changed until it is resumed.',
  resume: 'Resumed.',
  retry: 'It is tried again now.',
  observe: '',
};

export function createAsker({ metadata }: VirtualMachineMemory): Asker {
  const { namespace, name } = metadata;
  const state = signal<Asking>({ kind: 'idle' });

  const fail = ({ kind, message }: Failure): void => {
    if (kind === 'noSession') endSession(message);
    state.value = { kind: 'refused', message };
  };
  const ask: Asker['ask'] = async (wish, onto) => {
    const { memory, way } = wish;
    const size = { memory, ...(way === null ? {} : { shrinkPolicy: way }) };
    const send = (dryRun: boolean): Promise<Result<MemoryAnswer, Failure>> =>
      setMemory(secret.value, { namespace, name, ...size, ...onto, dryRun });
    for (const dryRun of [true, false]) {
      state.value = { kind: 'busy', doing: dryRun ? 'Asking whether it would be taken' : 'Setting it' };
      const answer = await send(dryRun);
      if (!answer.ok) {
        fail(answer.error);
        return;
      }
      const { value } = answer;
      switch (value.outcome) {
        case 'set':
          if (!dryRun) state.value = { kind: 'done', said: `${wishText(memory, way)} is set (${value.by}).` };
          break;
        case 'changed':
          if (value.item !== null) learn(value.item);
          state.value = { kind: 'changed', wish, force: onto.force, item: value.item };
          return;
        case 'refused':
          state.value = { kind: 'refused', message: value.message };
          return;
        case 'owned':
          state.value = { kind: 'owned', wish, onto, writers: value.writers };
          return;
        default:
          value satisfies never;
      }
    }
  };
  return {
    state,
    ask,
    annotate: async (what) => {
      state.value = { kind: 'busy', doing: 'Asking' };
      const answer = await annotate(secret.value, { namespace, name, what });
      if (!answer.ok) fail(answer.error);
      else if (answer.value.outcome === 'refused') state.value = { kind: 'refused', message: answer.value.message };
      else if (answer.value.outcome === 'changed')
        state.value = { kind: 'refused', message: 'it has changed meanwhile' };
      else state.value = { kind: 'done', said: doneWords[what] };
    },
    dismiss: () => (state.value = { kind: 'idle' }),
  };
}
