/** What is shown where there is nothing to show: each such state is designed, and says what to do. */
import type { ComponentChildren, JSX } from 'preact';
import { Icon, type IconName } from './icon.tsx';

type StateProps = {
  readonly icon: IconName;
  readonly title: string;
  /** It is all of the page: its title is the page's. */
  readonly alone?: boolean;
  readonly children?: ComponentChildren;
};

export function EmptyState({ icon, title, alone = false, children }: StateProps): JSX.Element {
  return (
    <div class="empty">
      <Icon name={icon} size={36} />
      {alone ? <h1>{title}</h1> : <h2>{title}</h2>}
      <div class="empty-text">{children}</div>
    </div>
  );
}

/** Rows as there will be, with bars in the place of words. */
export function Loading({ what }: { readonly what: string }): JSX.Element {
  return (
    <div class="loading" role="status">
      <p class="sr-only">loading {what}</p>
      {[0, 1, 2, 3, 4, 5].map((row) => (
        <div key={row} class={`skeleton skeleton-${row % 3}`} aria-hidden="true">
          <i />
          <i />
          <i />
          <i />
        </div>
      ))}
    </div>
  );
}

export function NoSession({ message }: { readonly message: string | null }): JSX.Element {
  return (
    <main class="page page-narrow" id="main">
      <EmptyState
        icon="lock"
        alone
        title={message === null ? 'This page needs a link' : 'This link no longer opens the console'}
      >
        {message === null ? null : <p>The console says: {message}.</p>}
        <p>
          Press Enter in the terminal where <code>dimmer console</code> runs for a new link, or start it again. A link
          is good for one use within a minute.
        </p>
      </EmptyState>
    </main>
  );
}

/** `message`: in the API server's own words. */
export function Forbidden({ message }: { readonly message: string }): JSX.Element {
  return (
    <main class="page page-narrow" id="main">
      <EmptyState icon="lock" alone title="You may not look at any VM here">
        <p class="own-words">{message}</p>
        <p>
          It takes the right to list and watch <code>virtualmachinememories</code>. Whoever gives rights here can grant
          it; this page shows them as soon as it is there.
        </p>
      </EmptyState>
    </main>
  );
}
