/**
 * Kubernetes events (events.k8s.io/v1) about our resources: what `kubectl describe` and `kubectl events` show.
 * An event that repeats within ten minutes becomes a series: one object whose count grows, so that a guest that
 * refuses for hours doesn't fill etcd.
 */
import { hostname } from 'node:os';
import { computeBackoffMs } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { EventRecorder, RecordedEvent, Resource } from '../runtime/resources.ts';
import { type ApiClient, type ApiRequest, namespaceTerminating } from './api-client.ts';
import { sleep } from '../runtime/sleep.ts';
import { microTime } from './micro-time.ts';

export type EventRecorderOptions = {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 (included) to 1 (excluded). */
  readonly random: () => number;
  /** Events that wait to be sent; more are dropped. Default 1000. */
  readonly queueLimit?: number;
};

export interface KubernetesEventRecorder<T extends Resource> extends EventRecorder<T> {
  /** Sends what waits, for at most `withinMs`, and ends. */
  close(withinMs: number): Promise<void>;
}

type Subject = Resource & { readonly apiVersion: string; readonly kind: string };

/** One event object in the API server. */
type Series = { readonly path: string; readonly name: string; count: number; lastMs: number };

/** client-go's tools/events: a series ends when nothing came for so long. */
const seriesMs = 10 * 60_000;
const maxSeries = 4096;
/** The API server's limit for `note`, in bytes of UTF-8 (apis/core/validation/events.go). */
const maxNoteBytes = 1024;
const maxAttempts = 6;
const reportingController = 'dimmer.dev/controller';

type Pending = {
  readonly key: string;
  readonly subject: Subject;
  readonly event: RecordedEvent;
  readonly atMs: number;
};

/** An event recorder that sends one event after another in the background. */
export function createEventRecorder<T extends Subject>(options: EventRecorderOptions): KubernetesEventRecorder<T> {
  const { client, clock, logger, random, queueLimit = 1000 } = options;
  const reportingInstance = hostname().slice(0, 128);
  const queue: Pending[] = [];
  const seriesByKey = new Map<string, Series>();
  let dropped = 0;
  let sending: Promise<void> | undefined;
  let closed = false;
  const giveUp = new AbortController();

  const send = async (request: ApiRequest): Promise<boolean> => {
    for (let attempt = 0; ; attempt++) {
      const sent = await client.send({ ...request, signal: giveUp.signal });
      if (sent.ok) return true;
      const { error: failure } = sent;
      // An event whose first, unanswered attempt arrived is there.
      if (request.method === 'POST' && failure.status === 409) return true;
      // An outage is waited for (the queue is bounded); a server that answers no is asked a few times more, since right
      // after its start it denies what it will allow.
      const isWorthAnother =
        failure.retryable &&
        failure.reason !== namespaceTerminating &&
        (failure.kind !== 'status' || attempt + 1 < maxAttempts);
      if (!isWorthAnother || giveUp.signal.aborted) {
        logger.debug({ err: failure.message }, 'an event could not be recorded');
        return false;
      }
      const delayMs = Math.max(
        failure.retryAfterMs ?? 0,
        computeBackoffMs(attempt, { initialMs: 250, maxMs: 5_000 }, random),
      );
      await sleep(clock, delayMs, giveUp.signal);
    }
  };

  const deliver = async ({ key, subject, event, atMs }: Pending): Promise<void> => {
    const series = seriesByKey.get(key);
    if (series !== undefined && atMs - series.lastMs < seriesMs) {
      series.count += 1;
      series.lastMs = atMs;
      const body = { series: { count: series.count, lastObservedTime: microTime(atMs) } };
      const patched = await send({
        method: 'PATCH',
        path: `${series.path}/${series.name}`,
        contentType: 'application/merge-patch+json',
        body,
      });
      // The API server forgets events after an hour, and an admin may delete them.
      if (patched) return;
    }
    const created = newEvent(subject, event, atMs, reportingInstance, random);
    if (!(await send({ method: 'POST', path: created.path, body: created.body }))) {
      seriesByKey.delete(key);
      return;
    }
    // The map is in order of creation: the oldest goes.
    seriesByKey.delete(key);
    seriesByKey.set(key, { path: created.path, name: created.name, count: 1, lastMs: atMs });
    for (const oldest of seriesByKey.keys()) {
      if (seriesByKey.size <= maxSeries) break;
      seriesByKey.delete(oldest);
    }
  };

  const drain = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await deliver(next);
    if (dropped > 0) logger.warn({ dropped }, 'events were dropped: too many at once');
    dropped = 0;
    sending = undefined;
  };

  return {
    record(subject, event) {
      if (closed || queue.length >= queueLimit) {
        dropped += 1;
        return;
      }
      const { uid } = subject.metadata;
      const key = JSON.stringify([uid, event.type, event.reason, event.action, event.message]);
      queue.push({ key, subject, event, atMs: clock.now() });
      sending ??= drain();
    },
    async close(withinMs) {
      closed = true;
      const timer = clock.after(withinMs, () => {
        queue.length = 0;
        giveUp.abort();
      });
      await sending;
      timer.cancel();
    },
  };
}

function newEvent(
  subject: Subject,
  event: RecordedEvent,
  atMs: number,
  reportingInstance: string,
  random: () => number,
): { readonly path: string; readonly name: string; readonly body: object } {
  const { name: subjectName, namespace, uid, resourceVersion } = subject.metadata;
  // Events about cluster-scoped objects live in `default`, where kubectl describe looks for them.
  const eventNamespace = namespace ?? 'default';
  const suffix = `${atMs.toString(16)}${Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')}`;
  // A name has at most 253 characters, and a part of it ends with a letter or digit.
  const name = `${subjectName.slice(0, 252 - suffix.length).replace(/[^a-z0-9]+$/, '')}.${suffix}`;
  return {
    path: `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(eventNamespace)}/events`,
    name,
    body: {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace: eventNamespace },
      eventTime: microTime(atMs),
      reportingController,
      reportingInstance,
      type: event.type,
      reason: event.reason,
      action: event.action,
      note: truncate(event.message, maxNoteBytes),
      regarding: {
        apiVersion: subject.apiVersion,
        kind: subject.kind,
        name: subjectName,
        ...(namespace === undefined ? {} : { namespace }),
        uid,
        resourceVersion,
      },
    },
  };
}

/** `text`, cut so that its UTF-8 has at most `maxBytes` bytes. */
function truncate(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const ellipsis = '…';
  let kept = text.slice(0, maxBytes);
  while (Buffer.byteLength(kept) > maxBytes - Buffer.byteLength(ellipsis)) kept = kept.slice(0, -1);
  // Not half of a surrogate pair.
  return kept.replace(/[\uD800-\uDBFF]$/, '') + ellipsis;
}
