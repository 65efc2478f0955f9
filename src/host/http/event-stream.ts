/** The agent's event stream, kept open: resumed where it broke, told as `lost` and `reset` where it can't be. */
import { computeBackoffMs } from '../../runtime/backoff.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { Mismatch } from '../../memory/shape.ts';
import type { HttpsTransport } from './transport.ts';
import type { DomainEventKind, HostEvent, Leadership } from '../port.ts';
import { type SseMessage, SseParser } from './sse.ts';
import { eventData } from './api/domain.ts';
import { leaderHeaders, newestEpochHeader, readVersion } from './api/headers.ts';

export const eventsPath = '/v1/events';
/** The agent sends a heartbeat this often. */
export const heartbeatMs = 10_000;
/** Longer silence than this means that the stream is dead. */
const silenceMs = 3 * heartbeatMs;
const resumeDelayMs = 50;
const reconnect = { initialMs: 250, maxMs: 5_000 };

const domainKinds: readonly string[] = ['lifecycle', 'module-added', 'module-removed', 'module-refused', 'statistics'];

/** The event that a message carries; null for a kind that a newer agent may send, and for rubbish. */
function toHostEvent(message: SseMessage): HostEvent | null {
  if (message.event === 'reset') return { kind: 'reset' };
  if (!domainKinds.includes(message.event)) return null;
  let data: unknown;
  try {
    data = JSON.parse(message.data);
  } catch {
    return null;
  }
  const read = eventData.read(data);
  if (read instanceof Mismatch) return null;
  const { id } = message;
  return { kind: message.event as DomainEventKind, uuid: read.uuid, ...(id === '' ? {} : { id }) };
}

export type EventStreamOptions = {
  readonly transport: HttpsTransport;
  readonly clock: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number;
  readonly listener: (event: HostEvent) => void;
  /** Who opens it, each time anew; undefined: a controller that takes part in no election. */
  readonly leadership?: Leadership | undefined;
};

/** Opens the stream and keeps it open until the returned function is called. */
export function openEventStream(options: EventStreamOptions): () => void {
  const { transport, clock, random, listener, leadership } = options;
  let stopped = false;
  let lastId = '';
  /** What the listener knows: nothing yet, that the stream stands, or that it is lost. */
  let told: 'nothing' | 'standing' | 'lost' = 'nothing';
  let attempt = 0;
  let timer: Timer | null = null;
  let abort = new AbortController();

  const tell = (event: HostEvent): void => {
    if (stopped) return;
    listener(event);
  };
  const handle = (message: SseMessage): void => {
    if (message.id !== '') lastId = message.id;
    attempt = 0;
    const event = message.event === 'resumed' && told === 'lost' ? { kind: 'reset' as const } : toHostEvent(message);
    if (message.event === 'reset' || message.event === 'resumed') told = 'standing';
    if (event !== null) tell(event);
  };

  async function read(): Promise<string> {
    abort = new AbortController();
    try {
      const leader = leadership?.current() ?? null;
      const headers = {
        accept: 'text/event-stream',
        ...(lastId === '' ? {} : { 'last-event-id': lastId }),
        ...leaderHeaders(leader),
      };
      const response = await transport.stream(eventsPath, headers, abort.signal, silenceMs);
      if (response.statusCode !== 200) {
        abort.abort();
        const newestEpoch = readVersion(response.headers[newestEpochHeader]);
        if (newestEpoch !== undefined) leadership?.refused(newestEpoch);
        return `the agent answered ${response.statusCode}`;
      }
      const parser = new SseParser();
      const decoder = new TextDecoder();
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        for (const message of parser.push(decoder.decode(chunk, { stream: true }))) handle(message);
      }
      return 'the agent ended the event stream';
    } catch (error) {
      abort.abort();
      return transport.explain(error, { mutation: false, again: false }).message;
    }
  }

  async function run(): Promise<void> {
    timer = null;
    const problem = await read();
    if (stopped) return;
    // The first attempt to take up a broken stream is silent: nothing may have been lost.
    if (attempt > 0 || told === 'nothing') {
      if (told !== 'lost') tell({ kind: 'lost', error: problem });
      told = 'lost';
    }
    const delayMs = attempt === 0 && told === 'standing' ? resumeDelayMs : computeBackoffMs(attempt, reconnect, random);
    attempt += 1;
    timer = clock.after(delayMs, () => void run());
  }
  void run();

  return () => {
    stopped = true;
    timer?.cancel();
    abort.abort();
  };
}
