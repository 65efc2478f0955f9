/** A question that must be answered first. The browser's own dialog keeps the focus in, and Escape closes it. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Tone } from '../model/list.ts';
import { Icon } from './icon.tsx';

type DialogProps = {
  readonly tone: Extract<Tone, 'danger' | 'warning'>;
  readonly title: string;
  readonly children: ComponentChildren;
  readonly actions: ComponentChildren;
  readonly onClose: () => void;
};

export function Dialog({ tone, title, children, actions, onClose }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class={`dialog tone-${tone}`} aria-labelledby="dialog-title" onClose={onClose}>
      <h2 id="dialog-title">
        <Icon name={tone} size={20} />
        {title}
      </h2>
      <div class="dialog-text">{children}</div>
      <div class="dialog-actions">{actions}</div>
    </dialog>
  );
}
