/** How it is with something, in colour, sign and word. */
import type { ComponentChildren, JSX } from 'preact';
import type { Tone } from '../model/list.ts';
import { Icon, type IconName } from './icon.tsx';

const iconOf: Readonly<Record<Tone, IconName>> = {
  danger: 'danger',
  warning: 'warning',
  moving: 'moving',
  paused: 'paused',
  unknown: 'unknown',
  good: 'good',
};

/** Of several VMs. */
export const toneWords: Readonly<Record<Tone, string>> = {
  danger: 'need you',
  warning: 'held up',
  moving: 'under way',
  paused: 'paused',
  unknown: 'not looked at yet',
  good: 'ready',
};

export function Label({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }): JSX.Element {
  return (
    <span class={`label tone-${tone}`}>
      <Icon name={iconOf[tone]} size={14} />
      <span>{children}</span>
    </span>
  );
}

type AlertProps = {
  readonly tone: Tone | 'info';
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly actions?: ComponentChildren;
  /** Read out when it appears. */
  readonly live?: boolean;
};

export function Alert({ tone, title, children, actions, live = false }: AlertProps): JSX.Element {
  return (
    <div class={`alert tone-${tone}`} {...(live ? { role: 'status' as const } : {})}>
      <Icon name={tone === 'info' ? 'info' : iconOf[tone]} />
      <div class="alert-text">
        <p class="alert-title">{title}</p>
        {children}
      </div>
      {actions === undefined ? null : <div class="alert-actions">{actions}</div>}
    </div>
  );
}
