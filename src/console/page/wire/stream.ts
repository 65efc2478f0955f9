/** The one stream of events, opened again whenever it ends. */
import { type ConsoleEvent, paths, readConsoleEvent } from '../../wire.ts';
import { createSseReader } from './sse.ts';

export type StreamListener = {
  onEvent(event: ConsoleEvent): void;
  /** The stream stands, or is away and will be tried again. */
  onLink(state: 'live' | 'lost'): void;
  /** The secret isn't valid any more: it isn't tried again. */
  onNoSession(): void;
};

/** Between two tries, doubled from the first to the second. */
const [firstWaitMs, longestWaitMs] = [500, 8_000];
/** The server sends a comment every 15 s: after this silence it isn't there. */
const silenceMs = 40_000;

/** Follows the stream until `signal` is aborted. */
export async function followStream(secret: string, listener: StreamListener, signal: AbortSignal): Promise<void> {
  const isOver = (): boolean => signal.aborted;
  for (let waitMs = firstWaitMs; !isOver(); waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    const outcome = await readOnce(secret, listener, signal);
    if (isOver()) return;
    if (outcome === 'noSession') {
      listener.onNoSession();
      return;
    }
    if (outcome === 'ended') waitMs = firstWaitMs;
    listener.onLink('lost');
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

async function readOnce(
  secret: string,
  listener: StreamListener,
  outer: AbortSignal,
): Promise<'noSession' | 'ended' | 'failed'> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), silenceMs);
  let begun = false;
  try {
    const response = await fetch(paths.stream, {
      headers: { authorization: `Bearer ${secret}`, accept: 'text/event-stream' },
      credentials: 'omit',
      cache: 'no-store',
      signal: AbortSignal.any([outer, silence.signal]),
    });
    if (response.status === 401) return 'noSession';
    if (!response.ok || response.body === null) return 'failed';
    const read = createSseReader();
    const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
    listener.onLink('live');
    begun = true;
    for (let piece = await pieces.read(); !piece.done; piece = await pieces.read()) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silenceMs);
      for (const { event, data } of read(piece.value)) {
        const known = readConsoleEvent(event, parse(data));
        if (known !== null) listener.onEvent(known);
      }
    }
    return 'ended';
  } catch {
    return begun ? 'ended' : 'failed';
  } finally {
    clearTimeout(timer);
  }
}

/** What is no JSON is none that is known. */
function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
