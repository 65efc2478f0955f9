/** What happened to a VM: its last resize and its events, the newest first. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import type { EventsAnswer } from '../../wire.ts';
import { agoText, sentence } from '../model/words.ts';
import { Icon } from '../parts/icon.tsx';
import { Alert } from '../parts/label.tsx';
import { EmptyState, Loading } from '../parts/states.tsx';
import { endSession, now, secret } from '../store.ts';
import { askEvents } from '../wire/client.ts';

export function History({ resource }: { readonly resource: VirtualMachineMemory }): JSX.Element {
  const { namespace, name, resourceVersion } = resource.metadata;
  const events = useSignal<EventsAnswer['items'] | null>(null);
  const problem = useSignal<string | null>(null);
  // Whatever happens to it changes it, so it is asked anew then.
  useEffect(() => {
    void askEvents(secret.value, { namespace, name }).then((answer) => {
      if (answer.ok) [events.value, problem.value] = [answer.value.items, null];
      else if (answer.error.kind === 'noSession') endSession(answer.error.message);
      else problem.value = answer.error.message;
    });
  }, [resourceVersion]);
  const { lastResize } = resource.status ?? {};
  const all = events.value;
  return (
    <section class="card" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      {lastResize === undefined ? null : (
        <p class="history-resize">
          <Icon name="moving" size={14} /> Last resize: {lastResize.from} → {lastResize.to},{' '}
          {lastResize.completionTime === undefined
            ? `begun ${agoText(now.value - Date.parse(lastResize.startTime))}`
            : `done ${agoText(now.value - Date.parse(lastResize.completionTime))}`}
        </p>
      )}
      {problem.value === null ? null : <Alert tone="warning" title={problem.value} />}
      {all === null ? (
        problem.value === null ? (
          <Loading what="its history" />
        ) : null
      ) : all.length === 0 ? (
        <EmptyState icon="clock" title="No events">
          <p>Kubernetes keeps events for an hour; standalone keeps the last of them.</p>
        </EmptyState>
      ) : (
        <ol class="timeline">
          {all.toReversed().map((event, index) => (
            <li key={index} class={event.type === 'Warning' ? 'timeline-warning' : ''}>
              <Icon name={event.type === 'Warning' ? 'warning' : 'good'} size={14} />
              <div>
                <p class="timeline-head">
                  <strong>{event.reason}</strong>
                  {event.count > 1 ? ` ×${event.count}` : ''}{' '}
                  <time dateTime={event.lastSeen} title={event.lastSeen}>
                    {agoText(now.value - Date.parse(event.lastSeen))}
                  </time>
                </p>
                <p>{sentence(event.message)}</p>
              </div>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
