/** Hosts as shelves. */
import type { JSX } from 'preact';
import { inGib, type Shelf, shelfOf } from '../model/shelf.ts';
import { inPercent, type NamespaceUses } from '../../../view/namespace-uses.ts';
import { formatRoute, noFilter } from '../model/route.ts';
import { sentence } from '../model/words.ts';
import { Label } from '../parts/label.tsx';
import { EmptyState, Loading } from '../parts/states.tsx';
import { hosts, rows } from '../store.ts';

export function HostsPage(): JSX.Element {
  const all = hosts.value;
  return (
    <main class="page" id="main">
      <h1>Hosts</h1>
      {all === undefined ? (
        <Loading what="the hosts" />
      ) : all === null ? (
        <EmptyState icon="lock" title="You may not look at the hosts">
          <p>
            It takes the right to list <code>hypervisorhosts</code>, which are the cluster's and no namespace's. The VMs
            say which host each is on.
          </p>
        </EmptyState>
      ) : all.length === 0 ? (
        <EmptyState icon="host" title="No host is known">
          <p>A HypervisorHost names a host whose agent may be used.</p>
        </EmptyState>
      ) : (
        <div class="shelves">
          {all.map((host) => (
            <ShelfView key={host.metadata.name} shelf={shelfOf(host, rows.value)} />
          ))}
        </div>
      )}
    </main>
  );
}

/** More books than this are one bundle. */
const mostShown = 120;

function ShelfView({ shelf }: { readonly shelf: Shelf }): JSX.Element {
  const { name, ready, message, cordoned, memory, vms, waiting } = shelf;
  return (
    <section class="card shelf" aria-labelledby={`host-${name}`}>
      <header class="shelf-head">
        <h2 id={`host-${name}`}>{name}</h2>
        <Label tone={ready === 'True' ? 'good' : ready === 'False' ? 'danger' : 'unknown'}>
          {ready === 'True' ? 'ready' : ready === 'False' ? 'not ready' : 'unknown'}
        </Label>
        {cordoned ? <Label tone="paused">cordoned</Label> : null}
        <p class="muted shelf-message">{sentence(message)}</p>
      </header>
      {memory === null ? (
        <p class="muted">Nothing is known of its memory yet.</p>
      ) : (
        <>
          <Boards shelf={shelf} memory={memory} />
          <dl class="figures">
            <Fact name="Total" value={inGib(memory.total)} />
            <Fact name="Free" value={inGib(memory.available)} />
            <Fact name="Committed" value={inGib(memory.committed)} />
            <Fact name="Reserve" value={inGib(memory.reserve)} />
            <Fact name="Overcommit" value={shelf.overcommit} />
            <Fact name="VMs" value={shelf.virtualMachines === null ? '–' : String(shelf.virtualMachines)} />
          </dl>
        </>
      )}
      {shelf.namespaces === null ? null : <NamespacesView name={name} namespaces={shelf.namespaces} />}
      {waiting.length === 0 ? null : (
        <div class="waiting">
          <h3>Waiting for room here</h3>
          <ul>
            {waiting.map((row) => (
              <li key={row.key}>
                <a href={formatRoute({ page: 'vm', namespace: row.namespace, name: row.name, tab: 'memory' })}>
                  {row.key}
                </a>{' '}
                {row.current === '' ? '?' : row.current} → {row.wanted}{' '}
                <span class="muted">{row.readiness.reason}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
      {vms.length === 0 ? null : (
        <p>
          <a href={formatRoute({ page: 'list', filter: { ...noFilter, host: name } })}>
            {vms.length === 1 ? 'Its VM' : `All ${vms.length} of its VMs`} in the list
          </a>
        </p>
      )}
    </section>
  );
}

type NamespacesProps = { readonly name: string; readonly namespaces: NamespaceUses };

/** What each namespace has of what one may have: who has most, first. */
function NamespacesView({ name, namespaces: { limit, uses } }: NamespacesProps): JSX.Element {
  return (
    <div class="namespaces">
      <h3 id={`namespaces-${name}`}>Each namespace may have {inGib(limit)} here</h3>
      {uses.length === 0 ? (
        <p class="muted">None that is known has any of it.</p>
      ) : (
        <ul aria-labelledby={`namespaces-${name}`}>
          {uses.map(({ namespace, committed, share }) => (
            <li key={namespace}>
              <a href={formatRoute({ page: 'list', filter: { ...noFilter, namespace, host: name } })}>{namespace}</a>
              <span class="meter" aria-hidden="true">
                <i style={{ width: `${Math.min(100, share * 100).toFixed(1)}%` }} />
              </span>
              <span>
                {inGib(committed)} <span class="muted">{inPercent(share)}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

type BoardsProps = { readonly shelf: Shelf; readonly memory: NonNullable<Shelf['memory']> };

/** The VMs stand beside each other as wide as they are large; what nobody may have is hatched. */
function Boards({ shelf: { vms }, memory }: BoardsProps): JSX.Element {
  const known = vms.reduce((sum, { size }) => sum + size, 0);
  const others = Math.max(0, memory.committed - known);
  const whole = Math.max(1, memory.limit + memory.reserve, known + others + memory.reserve);
  const width = (size: number): string => `${((size / whole) * 100).toFixed(3)}%`;
  const label =
    `${inGib(memory.committed)} of ${inGib(memory.limit)} committed, ${inGib(memory.reserve)} in reserve, ` +
    `${inGib(memory.available)} free`;
  return (
    <div class="shelf-board" role="img" aria-label={label}>
      {vms.slice(0, mostShown).map(({ row, size }) => (
        <span
          key={row.key}
          class={`book tone-book-${row.tone}`}
          style={{ width: width(size) }}
          title={`${row.key}: ${row.current}, ${row.readiness.reason}`}
        >
          <span class="book-name">{row.name}</span>
        </span>
      ))}
      {others > 0 ? (
        <span
          class="book book-others"
          style={{ width: width(others) }}
          title={`${inGib(others)} of VMs not shown here`}
        >
          <span class="book-name">others</span>
        </span>
      ) : null}
      <span
        class="shelf-reserve"
        style={{ width: width(memory.reserve) }}
        title={`${inGib(memory.reserve)} in reserve`}
      />
    </div>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
