/** Takes a process' log, and stops the process in the middle of a line: whoever writes to a full pipe waits (pipe(7)). */
import { appendFileSync, closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { runOk } from '../../../lab/run.ts';

export type LogPipe = {
  /** What the process writes to. */
  readonly path: string;
  /** Whoever writes from now on waits. */
  readonly fill: () => void;
  /** Reads on. */
  readonly drain: () => void;
  readonly close: () => void;
};

/** A pipe whose text goes to `logFile`. */
export async function createLogPipe(logFile: string): Promise<LogPipe> {
  const path = `${logFile}.pipe`;
  await runOk('mkfifo', [path]);
  // Both ends, so that nobody finds it closed.
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(65_536);
  let junk = 0;
  const isWouldBlock = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EAGAIN';
  const read = (): void => {
    try {
      for (;;) {
        const length = readSync(fd, buffer, 0, buffer.length, null);
        const text = buffer.subarray(Math.min(junk, length), length);
        junk -= Math.min(junk, length);
        appendFileSync(logFile, text);
      }
    } catch (error) {
      if (!isWouldBlock(error)) throw error;
    }
  };
  let timer: NodeJS.Timeout | null = null;
  const stop = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };
  const drain = (): void => {
    stop();
    timer = setInterval(read, 20);
  };
  drain();
  return {
    path,
    drain,
    fill() {
      stop();
      read();
      // A write of up to 4096 bytes is made as a whole or not at all.
      for (const size of [4096, 1]) {
        try {
          for (;;) junk += writeSync(fd, Buffer.alloc(size, '\n'));
        } catch (error) {
          if (!isWouldBlock(error)) throw error;
        }
      }
    },
    close() {
      stop();
      read();
      closeSync(fd);
    },
  };
}
