/**
 * One HTTP request whose whole answer is read, below undici's `request` and its streams: nothing of it outlasts it
 * (docs/adr/0062-what-a-resize-costs.md).
 */
import type { Dispatcher } from 'undici';
import type { Clock } from './clock.ts';

export type ExchangeOptions = {
  readonly method: Dispatcher.HttpMethod;
  /** Of the server; left out: the dispatcher is for one. */
  readonly origin?: string;
  /** With the query, already encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly clock: Clock;
  /** From now until the last byte of the answer, ms. */
  readonly deadlineMs: number;
  /** Ends it before that. */
  readonly signal?: AbortSignal | undefined;
  /** A longer one is given up. */
  readonly maxAnswerBytes: number;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
};

/** There was no whole answer in time. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

/** Given up by the caller's signal. */
export class GivenUp extends Error {
  override readonly name = 'GivenUp';
}

/** The answer is longer than it may be. */
export class EndlessAnswer extends Error {
  override readonly name = 'EndlessAnswer';
}

/**
 * Sends a request and reads the whole answer, whatever its status. Once it is over nothing of it is kept: no timer, and
 * no listener on the signal.
 * @throws DeadlineExceeded, GivenUp, EndlessAnswer, and what undici raises for a connection that fails
 */
export function exchange(dispatcher: Dispatcher, options: ExchangeOptions): Promise<Answer> {
  const { method, origin, path, headers, body, clock, deadlineMs, signal, maxAnswerBytes } = options;
  return new Promise((resolve, reject) => {
    let started: Dispatcher.DispatchController | null = null;
    let failure: Error | null = null;
    let answer: Omit<Answer, 'text'> | null = null;
    const chunks: Buffer[] = [];
    let length = 0;

    const forget = (): void => {
      deadline.cancel();
      signal?.removeEventListener('abort', giveUp);
    };
    const end = (error: Error): void => {
      forget();
      failure ??= error;
      reject(failure);
      started?.abort(failure);
    };
    const giveUp = (): void => end(new GivenUp('given up'));
    const deadline = clock.after(deadlineMs, () => end(new DeadlineExceeded(`no whole answer in ${deadlineMs} ms`)));
    if (signal?.aborted === true) {
      giveUp();
      return;
    }
    signal?.addEventListener('abort', giveUp, { once: true });

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        started = controller;
        // It was given up while it waited for a connection.
        if (failure !== null) controller.abort(failure);
      },
      onResponseStart(_controller, status, answerHeaders) {
        if (status >= 200) answer = { status, headers: answerHeaders };
      },
      onResponseData(_controller, chunk) {
        length += chunk.length;
        if (length > maxAnswerBytes) end(new EndlessAnswer(`an answer of more than ${maxAnswerBytes} bytes`));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        if (answer === null) {
          end(new Error('an answer that has no status'));
          return;
        }
        forget();
        const [first] = chunks;
        const whole = first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, length);
        resolve({ ...answer, text: whole.toString('utf8') });
      },
      onResponseError: (_controller, error) => end(error),
    };
    try {
      dispatcher.dispatch(
        // The deadline is the exchange's own.
        { method, path, headers, body, ...(origin === undefined ? {} : { origin }), headersTimeout: 0, bodyTimeout: 0 },
        handler,
      );
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
