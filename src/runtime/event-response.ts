/** Server-sent events (WHATWG HTML, section 9.2) as an answer, for as long as both sides want it. */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from './clock.ts';

export type EventResponse = {
  readonly clock: Clock;
  /** How often a comment is sent, so that whoever reads knows that the connection stands. */
  readonly heartbeatMs: number;
  /** A reader that is further behind, in bytes, is cut off. */
  readonly maxBufferedBytes: number;
  /** Calls with the text of each event until the returned function is called. */
  readonly subscribe: (send: (text: string) => void) => () => void;
  /** Called when it has ended, whoever ended it. */
  readonly onEnd: () => void;
};

/** Goes on with `response`, whose head and first events are written. @returns what ends it; not before that is `onEnd` called */
export function sendEvents(response: ServerResponse, options: EventResponse): () => void {
  const { clock, heartbeatMs, maxBufferedBytes, subscribe, onEnd } = options;
  let timer: Timer;
  const beat = (): void => {
    response.write(':\n\n');
    timer = clock.after(heartbeatMs, beat);
  };
  timer = clock.after(heartbeatMs, beat);
  const unsubscribe = subscribe((text) => {
    if (response.writableLength > maxBufferedBytes) response.destroy();
    else response.write(text);
  });
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    timer.cancel();
    unsubscribe();
    onEnd();
    response.end();
  };
  response.on('close', end);
  return end;
}
