/** One VM: how it is with it, the board, its figures, and choosing another size. */
import { batch, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { Bytes } from '../../../memory/bytes.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';
import { boardOf, sizeIn } from '../model/board.ts';
import { isPaused, reportAge } from '../model/words.ts';
import { noFilter, formatRoute, type VmTab } from '../model/route.ts';
import { BoardView } from '../parts/board.tsx';
import { Icon } from '../parts/icon.tsx';
import { Alert, Label } from '../parts/label.tsx';
import { EmptyState, Loading } from '../parts/states.tsx';
import { hello, isLive, known, type Known, now, secret } from '../store.ts';
import { annotate } from '../wire/client.ts';
import { createAsker } from './asking.ts';
import { ownPolicy, placeOf, planAt, sizesFor } from './draft.ts';
import { Figures } from './figures.tsx';
import { History } from './history.tsx';
import { Questions } from './questions.tsx';
import { Resize } from './resize.tsx';
import { Standing } from './standing.tsx';

type VmProps = { readonly namespace: string; readonly name: string; readonly tab: VmTab };

export function VmPage({ namespace, name, tab }: VmProps): JSX.Element {
  const all = known.value;
  const found = all?.get(`${namespace}/${name}`);
  return (
    <main class="page" id="main">
      <nav class="crumbs" aria-label="Where you are">
        <a href={formatRoute({ page: 'list', filter: noFilter })}>VMs</a>
        <Icon name="chevron" size={10} />
        <a href={formatRoute({ page: 'list', filter: { ...noFilter, namespace } })}>{namespace}</a>
        <Icon name="chevron" size={10} />
        <span aria-current="page">{name}</span>
      </nav>
      {all === null ? (
        <Loading what="the VM" />
      ) : found === undefined ? (
        <EmptyState icon="unknown" alone title={`There is no ${namespace}/${name}`}>
          <p>It was deleted, has another name, or lies where you may not look.</p>
          <p>
            <a href="#/">All VMs</a>
          </p>
        </EmptyState>
      ) : (
        <Vm key={found.resource.metadata.uid} found={found} tab={tab} />
      )}
    </main>
  );
}

/** So often the guest's use is asked for anew while somebody looks. */
const observeEveryMs = 10_000;

function Vm({ found, tab }: { readonly found: Known; readonly tab: VmTab }): JSX.Element {
  const { resource, row } = found;
  const { metadata } = resource;
  const { namespace, name, uid } = metadata;
  const asker = useMemo(() => createAsker(resource), [uid]);
  const mayObserve = useSignal(true);
  useEffect(() => {
    const observe = async (): Promise<void> => {
      if (document.visibilityState !== 'visible' || !mayObserve.value || !isLive.value) return;
      const answer = await annotate(secret.value, { namespace, name, what: 'observe' });
      // Who may not patch sees the figure with its age.
      if (answer.ok && answer.value.outcome === 'refused') mayObserve.value = false;
    };
    if (hello.value?.canEdit === false) mayObserve.value = false;
    void observe();
    const timer = setInterval(() => void observe(), observeEveryMs);
    return () => clearInterval(timer);
  }, [uid]);
  const of = (other: VmTab): string => formatRoute({ page: 'vm', namespace, name, tab: other });
  const { virtualMachine } = resource.status ?? {};
  return (
    <>
      <header class="vm-head">
        <h1>{name}</h1>
        <Label tone={row.tone}>{row.readiness.reason}</Label>
        {row.isPaused && row.tone !== 'paused' ? <Label tone="paused">paused</Label> : null}
        <p class="vm-facts">
          VM {row.machine}
          {virtualMachine === undefined ? '' : `, ${virtualMachine.state}`}
          {row.host === '' ? '' : `, on ${row.host}`}
        </p>
      </header>
      <nav class="tabs" aria-label="About this VM">
        <a href={of('memory')} {...(tab === 'memory' ? { 'aria-current': 'page' as const } : {})}>
          Memory
        </a>
        <a href={of('history')} {...(tab === 'history' ? { 'aria-current': 'page' as const } : {})}>
          History
        </a>
      </nav>
      {tab === 'history' ? <History resource={resource} /> : <Memory found={found} asker={asker} />}
    </>
  );
}

type MemoryProps = { readonly found: Known; readonly asker: ReturnType<typeof createAsker> };

function Memory({ found, asker }: MemoryProps): JSX.Element {
  const { resource } = found;
  const chosen = useSignal<Bytes | null>(null);
  const chosenWay = useSignal<ShrinkPolicy | null>(null);
  const choose = (size: Bytes | null, way: ShrinkPolicy | null): void =>
    batch(() => {
      chosen.value = size;
      chosenWay.value = way;
    });
  const asking = asker.state.value;
  // What was asked for stands there now: the thumb rests on it.
  useEffect(() => {
    if (asking.kind === 'done') choose(null, null);
  }, [asking]);
  // Somebody may have set meanwhile what was chosen here.
  const way = chosenWay.value === ownPolicy(resource) ? null : chosenWay.value;
  const read = sizesFor(resource, way);
  const sizes = read.ok ? read.value : null;
  const place = sizes === null ? null : placeOf(resource, sizes, chosen.value);
  const isChosen = (chosen.value !== null || way !== null) && place !== null;
  const live = sizes === null || place === null || !isChosen ? null : planAt(sizes, place);
  const from = resource.status?.lastResize?.from;
  const back = from === undefined || from === String(resource.spec.memory) ? null : from;
  const { writers } = found;
  return (
    <>
      <Standing
        resource={resource}
        row={found.row}
        asker={asker}
        isPaused={isPaused(resource)}
        canEdit={hello.value?.canEdit !== false}
        back={back}
        onBack={() => {
          if (back !== null) chosen.value = sizeIn(back);
        }}
      />
      {writers.length === 0 ? null : (
        <Alert tone="info" title={`Its size is set elsewhere, too: ${writers.map(({ what }) => what).join('; ')}`} />
      )}
      {resource.status?.memory === undefined ? (
        <Alert tone="unknown" title="Nothing is known of its memory yet" />
      ) : (
        <>
          <section class="card" aria-labelledby="board-title">
            <h2 id="board-title" class="sr-only">
              Mainboard
            </h2>
            <BoardView board={boardOf(resource, live?.steps ?? [], now.value)} />
            <Figures resource={resource} nowMs={now.value} />
          </section>
          {sizes === null || place === null ? (
            <Alert tone="warning" title="No plan can be made of what is known">
              <p>{read.ok ? '' : read.error}</p>
            </Alert>
          ) : (
            <Resize
              known={found}
              sizes={sizes}
              place={place}
              isChosen={isChosen}
              asker={asker}
              asking={asking}
              locked={hello.value?.canEdit === false || !isLive.value}
              lockedNote={isLive.value ? null : 'Nothing can be set while the connection is lost.'}
              reportMs={reportAge(resource, now.value)}
              way={way}
              onChoose={(size, other = way ?? undefined) => choose(size, other ?? null)}
              onWay={(other) => (chosenWay.value = other)}
              onReset={() => choose(null, null)}
            />
          )}
        </>
      )}
      <Questions asker={asker} asking={asking} />
    </>
  );
}
