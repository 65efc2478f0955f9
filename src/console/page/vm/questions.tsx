/** The dialogs that a change may need: somebody else was quicker, or somebody else owns the size. */
import type { JSX } from 'preact';
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
  const close = (): void => asker.dismiss();
  if (read?.ok !== true) {
    return (
      <Dialog
        tone="danger"
        title="It is gone"
        onClose={close}
        actions={
          <button type="button" class="button" onClick={close}>
            Close
          </button>
        }
      >
        <p>Somebody has deleted it meanwhile. Nothing was set.</p>
      </Dialog>
    );
  }
  const { metadata, spec } = read.value;
  const [theirs, ours] = [
    // Where a policy was chosen, too, theirs is told as well.
    wishText(
      spec.memory === undefined ? 'no size' : String(spec.memory),
      wish.way === null ? null : ownPolicy(read.value),
    ),
    wishText(wish.memory, wish.way),
  ];
  return (
    <Dialog
      tone="warning"
      title="Somebody has changed it meanwhile"
      onClose={close}
      actions={
        <>
          <button type="button" class="button button-primary" onClick={close}>
            Leave {theirs}
          </button>
          <button
            type="button"
            class="button"
            onClick={() => void asker.ask(wish, { force, resourceVersion: metadata.resourceVersion, anyPlan: true })}
          >
            Set {ours} all the same
          </button>
        </>
      }
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
    </Dialog>
  );
}

function Owned({ asker, asking: { writers, wish, onto } }: Of<'owned'>): JSX.Element {
  const close = (): void => asker.dismiss();
  return (
    <Dialog
      tone="warning"
      title="Somebody else writes its size"
      onClose={close}
      actions={
        <>
          <button type="button" class="button button-primary" onClick={close}>
            Leave it
          </button>
          <button
            type="button"
            class="button button-danger"
            onClick={() => void asker.ask(wish, { ...onto, force: true })}
          >
            Set {wishText(wish.memory, wish.way)} all the same
          </button>
        </>
      }
    >
      <p>What you set here will most likely be changed back. Better change it where it comes from:</p>
      <ul>
        {writers.map(({ what }) => (
          <li key={what}>{what}</li>
        ))}
      </ul>
    </Dialog>
  );
}
