/** The events, for as long as a page looks: what is known first, then whatever is new. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../runtime/clock.ts';
import { sendEvents } from '../../runtime/event-response.ts';
import type { Board } from '../board.ts';
import type { ConsoleEvent } from '../wire.ts';
import { safeHeaders } from './headers.ts';

const heartbeatMs = 15_000;
/** More tabs than a person has. */
const mostStreams = 32;
/** A page that is so far behind is cut off, and begins anew. A thousand resources are about 5 MiB. */
const maxBufferedBytes = 64 * 1024 * 1024;

/** JSON has no line of its own. */
const toText = ({ event, data }: ConsoleEvent): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

export class Streams {
  readonly #board: Board;
  readonly #clock: Clock;
  readonly #open = new Set<() => void>();

  constructor(board: Board, clock: Clock) {
    this.#board = board;
    this.#clock = clock;
  }

  get isFull(): boolean {
    return this.#open.size >= mostStreams;
  }

  /** Answers with the events until either side ends it. */
  begin(response: ServerResponse): void {
    response.writeHead(200, { ...safeHeaders, 'content-type': 'text/event-stream' });
    for (const event of this.#board.snapshot()) response.write(toText(event));
    const end = sendEvents(response, {
      ...{ clock: this.#clock, heartbeatMs, maxBufferedBytes },
      subscribe: (send) => this.#board.subscribe((event) => send(toText(event))),
      onEnd: () => this.#open.delete(end),
    });
    this.#open.add(end);
  }

  endAll(): void {
    for (const end of [...this.#open]) end();
  }
}
