/** Lines of a response that goes on for minutes. */
import type { Readable } from 'node:stream';
import type { Clock, Timer } from '../runtime/clock.ts';

export type LineStreamEnd =
  | { readonly outcome: 'ended' } /* by the server, between two lines */
  | { readonly outcome: 'stopped' } /* by onLine */
  | { readonly outcome: 'silent' }
  | { readonly outcome: 'broken'; readonly message: string };

export type LineStreamOptions = {
  readonly clock: Clock;
  /** A stream that says nothing for so long counts as dead: a half-open connection reports no error. */
  readonly maxSilenceMs: number;
  readonly maxLineBytes: number;
};

const newline = 0x0a;

/**
 * Calls `onLine` with every complete line, in the same turn of the event loop in which its last byte arrives, until it
 * answers false or the stream ends. The body is destroyed in any case. Never rejects, unless `onLine` throws.
 */
export function readLines(
  body: Readable,
  onLine: (line: string) => boolean,
  options: LineStreamOptions,
): Promise<LineStreamEnd> {
  return new Promise((resolve, reject) => {
    /** The beginning of a line whose end hasn't come. */
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    let silence: Timer | undefined;
    let done = false;

    const finish = (end: LineStreamEnd): void => {
      if (done) return;
      done = true;
      silence?.cancel();
      resolve(end);
      body.destroy();
    };
    const listen = (): void => {
      silence?.cancel();
      silence = options.clock.after(options.maxSilenceMs, () => finish({ outcome: 'silent' }));
    };
    const take = (chunk: Buffer): void => {
      let start = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        const line = Buffer.concat([...pending, chunk.subarray(start, end)]).toString('utf8');
        pending = [];
        pendingBytes = 0;
        start = end + 1;
        if (line !== '' && !onLine(line)) {
          finish({ outcome: 'stopped' });
          return;
        }
      }
      if (start < chunk.length) {
        pending.push(chunk.subarray(start));
        pendingBytes += chunk.length - start;
        if (pendingBytes > options.maxLineBytes) {
          finish({ outcome: 'broken', message: `a line of more than ${options.maxLineBytes} bytes` });
        }
      }
    };

    body.on('data', (chunk: Buffer) => {
      if (done) return;
      listen();
      try {
        take(chunk);
      } catch (error) {
        done = true;
        silence?.cancel();
        body.destroy();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    body.on('end', () =>
      finish(
        pendingBytes === 0 ? { outcome: 'ended' } : { outcome: 'broken', message: 'cut off in the middle of a line' },
      ),
    );
    body.on('error', (error: Error) => finish({ outcome: 'broken', message: error.message }));
    body.on('close', () => finish({ outcome: 'broken', message: 'closed' }));
    listen();
  });
}
