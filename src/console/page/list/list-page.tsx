/** All VMs: search, filters, order; what needs a human stands first. */
import { useComputed } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { choicesOf, countTones, filterRows } from '../model/list.ts';
import { type Filter, formatRoute, noFilter, type SortKey, sortKeys } from '../model/route.ts';
import { Icon } from '../parts/icon.tsx';
import { Label, toneWords } from '../parts/label.tsx';
import { EmptyState, Loading } from '../parts/states.tsx';
import { hello, known, route, rows } from '../store.ts';
import { Rows } from './rows.tsx';

const sortWords: Readonly<Record<SortKey, string>> = {
  attention: 'needs you first',
  name: 'name',
  size: 'largest first',
  since: 'last changed first',
};

/** A filter is no step to go back from: it takes the place of the one before in the history. */
function narrow(filter: Filter): void {
  const next = { page: 'list', filter } as const;
  history.replaceState(null, '', formatRoute(next));
  route.value = next;
}

export function ListPage({ filter }: { readonly filter: Filter }): JSX.Element {
  const shown = useComputed(() => (route.value.page === 'list' ? filterRows(rows.value, route.value.filter) : []));
  // Of all VMs, whatever is typed: counted when one of them changes, and not at each key.
  const tones = useComputed(() => countTones(rows.value));
  const choices = useComputed(() => ({
    namespace: choicesOf(rows.value, (row) => row.namespace),
    host: choicesOf(rows.value, (row) => row.host),
    reason: choicesOf(rows.value, (row) => row.readiness.reason),
  }));
  const all = rows.value;
  const set = (change: Partial<Filter>): void => narrow({ ...filter, ...change });
  return (
    <main class="page page-list" id="main">
      <header class="list-head">
        <h1>VMs</h1>
        <p class="tones">
          {tones.value.map(([tone, count]) => (
            <Label key={tone} tone={tone}>
              {count} {tone === 'danger' && count === 1 ? 'needs you' : toneWords[tone]}
            </Label>
          ))}
        </p>
      </header>
      <form class="toolbar" role="search" aria-label="Narrow the list" onSubmit={(event) => event.preventDefault()}>
        <div class="search">
          <Icon name="search" />
          <input
            id="search"
            class="input"
            type="search"
            placeholder="Search name, VM, host, reason"
            aria-label="Search"
            value={filter.text}
            onInput={(event) => set({ text: event.currentTarget.value })}
          />
        </div>
        <Choice
          label="Namespace"
          value={filter.namespace}
          choices={choices.value.namespace}
          onChoose={(namespace) => set({ namespace })}
        />
        <Choice label="Host" value={filter.host} choices={choices.value.host} onChoose={(host) => set({ host })} />
        <Choice
          label="Reason"
          value={filter.reason}
          choices={choices.value.reason}
          onChoose={(reason) => set({ reason })}
        />
        <label class="choice">
          <span>Order</span>
          <select
            class="input"
            value={filter.sort}
            onChange={(event) =>
              set({ sort: sortKeys.find((key) => key === event.currentTarget.value) ?? 'attention' })
            }
          >
            {sortKeys.map((key) => (
              <option key={key} value={key}>
                {sortWords[key]}
              </option>
            ))}
          </select>
        </label>
      </form>
      {known.value === null ? (
        <Loading what="the VMs" />
      ) : all.length === 0 ? (
        <NoVms />
      ) : shown.value.length === 0 ? (
        <EmptyState icon="search" title="No VM is like that">
          <p>
            <button type="button" class="button" onClick={() => narrow(noFilter)}>
              Show all {all.length}
            </button>
          </p>
        </EmptyState>
      ) : (
        <Rows rows={shown.value} all={all.length} />
      )}
    </main>
  );
}

type ChoiceProps = {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly (readonly [string, number])[];
  readonly onChoose: (value: string) => void;
};

function Choice({ label, value, choices, onChoose }: ChoiceProps): JSX.Element {
  const options = useMemo(
    () =>
      choices.map(([choice, count]) => (
        <option key={choice} value={choice}>
          {choice} ({count})
        </option>
      )),
    [choices],
  );
  const isKnown = value === '' || choices.some(([choice]) => choice === value);
  return (
    <label class="choice">
      <span>{label}</span>
      <select class="input" value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        <option value="">all</option>
        {isKnown ? null : <option value={value}>{value} (0)</option>}
        {options}
      </select>
    </label>
  );
}

function NoVms(): JSX.Element {
  return (
    <EmptyState icon="host" title="No VM is here yet">
      {hello.value?.place === 'standalone' ? (
        <p>
          Write manifests of the VMs of this host into the directory that it follows: <code>dimmer adopt</code> does.
        </p>
      ) : (
        <p>
          Nothing of the kind VirtualMachineMemory is in {hello.value?.title ?? 'this place'}: <code>dimmer adopt</code>{' '}
          writes manifests of VMs as they are.
        </p>
      )}
    </EmptyState>
  );
}
