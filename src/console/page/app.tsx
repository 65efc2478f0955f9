/** The frame of the page: where one is, how the connection is, and the page of the route. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { age } from '../../view/layout.ts';
import { HostsPage } from './hosts/hosts-page.tsx';
import { ListPage } from './list/list-page.tsx';
import { formatRoute, noFilter, type Route } from './model/route.ts';
import { sentence } from './model/words.ts';
import { Icon } from './parts/icon.tsx';
import { Alert } from './parts/label.tsx';
import { EmptyState, Forbidden, Loading, NoSession } from './parts/states.tsx';
import { backend, hello, isLive, link, lostSince, now, phase, route, trouble } from './store.ts';
import { chooseTheme, type Theme, theme, themes } from './theme.ts';
import { VmPage } from './vm/vm-page.tsx';
import { unreachable } from './wire/client.ts';

export function App(): JSX.Element {
  const at = phase.value;
  useTitle(route.value);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        To the content
      </a>
      <Masthead />
      {at.kind === 'noSession' ? (
        <NoSession message={at.message} />
      ) : at.kind === 'opening' ? (
        <main class="page" id="main">
          {link.value === 'lost' ? (
            <EmptyState icon="warning" alone title="The console does not answer">
              <p>{sentence(unreachable)} It is tried again by itself.</p>
            </EmptyState>
          ) : (
            <Loading what="the console" />
          )}
        </main>
      ) : (
        <>
          <Banners />
          {backend.value.state === 'forbidden' ? (
            <Forbidden message={backend.value.message} />
          ) : (
            <Page at={route.value} />
          )}
        </>
      )}
    </>
  );
}

/** A fragment would be taken for a route. */
function skip(event: MouseEvent): void {
  event.preventDefault();
  const main = document.getElementById('main');
  main?.setAttribute('tabindex', '-1');
  main?.focus();
}

const titleOf = (at: Route): string =>
  at.page === 'vm' ? `${at.name} (${at.namespace})` : at.page === 'hosts' ? 'Hosts' : 'VMs';

/** The title, and for whoever goes by keyboard or ear: another page begins at its top. */
function useTitle(at: Route): void {
  const key = at.page === 'vm' ? `${at.namespace}/${at.name}/${at.tab}` : at.page;
  const before = useRef(key);
  useEffect(() => {
    document.title = `${titleOf(at)} · Dimmer`;
    if (before.current === key) return;
    before.current = key;
    scrollTo(0, 0);
    const heading = document.querySelector<HTMLElement>('#main h1');
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
  }, [key]);
}

function Page({ at }: { readonly at: Route }): JSX.Element {
  switch (at.page) {
    case 'list':
      return <ListPage filter={at.filter} />;
    case 'vm':
      return <VmPage namespace={at.namespace} name={at.name} tab={at.tab} />;
    case 'hosts':
      return <HostsPage />;
    case 'unknown':
      return (
        <main class="page" id="main">
          <EmptyState icon="unknown" alone title="There is no such page">
            <p>
              <a href="#/">All VMs</a>
            </p>
          </EmptyState>
        </main>
      );
    default:
      return at satisfies never;
  }
}

function Masthead(): JSX.Element {
  const at = route.value.page;
  const isShut = phase.value.kind === 'noSession';
  const place = isShut ? null : hello.value;
  const current = (is: boolean): { 'aria-current'?: 'page' } => (is ? { 'aria-current': 'page' } : {});
  return (
    <header class="masthead">
      <a class="brand" href="#/">
        <svg viewBox="0 0 32 20" width="30" height="19" aria-hidden="true">
          <path class="brand-card" d="M1 3h30v5a2 2 0 0 0 0 4v5H18v-2h-3v2H1v-5a2 2 0 0 0 0-4Z" />
          <path class="brand-chip" d="M5 6h5v6H5Zm7 0h5v6h-5Z" />
          <path class="brand-dim" d="M19 6h3v6h-3Zm5 0h3v6h-3Z" />
        </svg>
        Dimmer
      </a>
      {place === null ? null : (
        <span class="place" title={place.place === 'cluster' ? 'Cluster' : 'Standalone host'}>
          {place.title}
        </span>
      )}
      {isShut ? null : (
        <nav aria-label="Main">
          <a href={formatRoute({ page: 'list', filter: noFilter })} {...current(at === 'list' || at === 'vm')}>
            VMs
          </a>
          <a href={formatRoute({ page: 'hosts' })} {...current(at === 'hosts')}>
            Hosts
          </a>
        </nav>
      )}
      <span class="masthead-end">
        {isShut ? null : <Connection />}
        <label class="theme">
          <Icon name="theme" />
          <span class="sr-only">Light or dark</span>
          <select
            value={theme.value}
            onChange={(event) =>
              chooseTheme(themes.find((one): one is Theme => one === event.currentTarget.value) ?? 'system')
            }
          >
            {themes.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      </span>
    </header>
  );
}

function Connection(): JSX.Element {
  const isForbidden = link.value === 'live' && backend.value.state === 'forbidden';
  const state = link.value === 'connecting' ? 'connecting' : isLive.value ? 'live' : isForbidden ? 'forbidden' : 'lost';
  return (
    <span class={`connection connection-${state}`} role="status">
      <i aria-hidden="true" />
      {isForbidden ? 'no rights' : state}
    </span>
  );
}

function Banners(): JSX.Element | null {
  if (backend.value.state === 'forbidden') return null;
  const { problems, note } = trouble.value;
  const since = lostSince.value;
  const { canEdit = true } = hello.value ?? {};
  if (since === null && canEdit && note === null && problems.length === 0) return null;
  const why = link.value === 'lost' ? unreachable : backend.value.message;
  return (
    <aside class="banners" aria-label="Notices">
      {since === null ? null : (
        <Alert
          tone="warning"
          title={`The connection is lost: all of this is as it was ${age(now.value - since)} ago`}
          live
        >
          <p>{sentence(why)} It is tried again by itself.</p>
        </Alert>
      )}
      {hello.value?.canEdit === false ? <Alert tone="info" title="You may look at this, but not change it" /> : null}
      {note === null ? null : <Alert tone="warning" title={sentence(note)} />}
      {problems.length === 0 ? null : (
        <Alert
          tone="danger"
          title={problems.length === 1 ? 'Something does not count' : `${problems.length} things do not count`}
        >
          <ul>
            {problems.slice(0, 8).map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
            {problems.length > 8 ? <li>and {problems.length - 8} more</li> : null}
          </ul>
        </Alert>
      )}
    </aside>
  );
}
