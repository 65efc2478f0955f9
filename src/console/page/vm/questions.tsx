/** The dialogs that a change may need: somebody else was quicker, or somebody else owns the size. */
import type { ComponentChildren, JSX } from 'preact';
import { decodeVirtualMachineMemory } from '../../../api/v1alpha1/decode.ts';
import { wishText } from '../model/words.ts';
import { Dialog } from '../parts/dialog.tsx';
import type { Asker, Asking } from './asking.ts';
import { ownPolicy } from './draft.ts';

type QuestionProps = { readonly asker: Asker; readonly asking: Asking };

export function Questions({ asker, asking }: QuestionProps): JSX.Element | null {
  if (asking.kind === 'changed') return <Changed asker={asker} asking={asking} />;
  if (asking.kind === 'owned') return <Owned asker={asker} asking={asking} />;
  return null;
}

type Of<K extends Asking['kind']> = { readonly asker: Asker; readonly asking: Extract<Asking, { kind: K }> };

function Changed({ asker, asking: { item, wish, force } }: Of<'changed'>): JSX.Element {
  const read = item === null ? null : decodeVirtualMachineMemory(item.object);
  if (read?.ok !== true) return <Gone asker={asker} />;
  const { metadata, spec } = read.value;
  const [theirs, ours] = [
    // Where a policy was chosen, too, theirs is told as well.
    wishText(
      spec.memory === undefined ? 'no size' : String(spec.memory),
      wish.way === null ? null : ownPolicy(read.value),
    ),
    wishText(wish.memory, wish.way),
  ];
  const set = (): void => void asker.ask(wish, { force, resourceVersion: metadata.resourceVersion, anyPlan: true });
  return (
    <AllTheSame
      asker={asker}
      title="Somebody has changed it meanwhile"
      leave={`Leave ${theirs}`}
      ours={ours}
      onSet={set}
    >
      <p>Nothing was set: what you decided from isn't what is there now.</p>
      <dl class="both">
        <div>
          <dt>It wants now</dt>
          <dd>{theirs}</dd>
        </div>
        <div>
          <dt>You asked for</dt>
          <dd>{ours}</dd>
        </div>
      </dl>
    </AllTheSame>
  );
}

function Owned({ asker, asking: { writers, wish, onto } }: Of<'owned'>): JSX.Element {
  const ours = wishText(wish.memory, wish.way);
  const set = (): void => void asker.ask(wish, { ...onto, force: true });
  return (
    <AllTheSame asker={asker} title="Somebody else writes its size" leave="Leave it" ours={ours} onSet={set} isRash>
      <p>What you set here will most likely be changed back. Better change it where it comes from:</p>
      <ul>
        {writers.map(({ what }) => (
          <li key={what}>{what}</li>
        ))}
      </ul>
    </AllTheSame>
  );
}

type AllTheSameProps = {
  readonly asker: Asker;
  readonly title: string;
  /** What the careful answer, the first, is called. */
  readonly leave: string;
  /** What is asked for. */
  readonly ours: string;
  readonly onSet: () => void;
  /** Whether it is better not done. */
  readonly isRash?: boolean;
  readonly children: ComponentChildren;
};

/** Whether it is to be set all the same. */
function AllTheSame({ asker, title, leave, ours, onSet, isRash = false, children }: AllTheSameProps): JSX.Element {
  const close = (): void => asker.dismiss();
  return (
    <Dialog
      tone="warning"
      title={title}
      onClose={close}
      actions={
        <>
          <button type="button" class="button button-primary" onClick={close}>
            {leave}
          </button>
          <button type="button" class={isRash ? 'button button-danger' : 'button'} onClick={onSet}>
            Set {ours} all the same
          </button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}

function Gone({ asker }: { readonly asker: Asker }): JSX.Element {
  const close = (): void => asker.dismiss();
  return (
    <Dialog
      tone="danger"
      title="It is gone"
      onClose={close}
      actions={
        <button type="button" class="button button-primary" onClick={close}>
          Close
        </button>
      }
    >
      <p>Somebody has deleted it meanwhile. Nothing was set.</p>
    </Dialog>
  );
}
