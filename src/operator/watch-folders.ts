/** Waiting for changes in a folder and in those below it, without looking now and then. */
import { type FSWatcher, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A write is several events. */
const swarmMs = 20;
/** Where a folder can't be watched it is looked at this often. */
const lookMs = 1_000;

/** Yields at once, then after every change, until `signal`. What is read after a yield is no older than the change. */
export async function* changesBelow(root: string, signal: AbortSignal): AsyncGenerator<undefined> {
  const folders = new Folders();
  signal.addEventListener('abort', folders.tell);
  try {
    while (!signal.aborted) {
      await folders.watch(root);
      yield undefined;
      await folders.changed();
      await new Promise((resolve) => setTimeout(resolve, swarmMs));
    }
  } finally {
    signal.removeEventListener('abort', folders.tell);
    folders.close();
  }
}

class Folders {
  readonly #watchers = new Map<string, FSWatcher>();
  #isBlind = false;
  #hasChanged = false;
  #wake: (() => void) | null = null;

  readonly tell = (): void => {
    this.#hasChanged = true;
    this.#wake?.();
  };

  /** Watches all folders that there are now; what changes from here on is told. */
  async watch(root: string): Promise<void> {
    this.#hasChanged = false;
    this.#isBlind = false;
    const folders = await foldersBelow(root);
    for (const folder of this.#watchers.keys()) if (!folders.includes(folder)) this.#forget(folder);
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, this.tell);
        watcher.on('error', () => {
          this.#forget(folder);
          this.tell();
        });
        this.#watchers.set(folder, watcher);
        // It may have changed before it was watched, and have folders that were not seen.
        this.#hasChanged = true;
      } catch {
        this.#isBlind = true;
      }
    }
  }

  /** Resolves when something has changed. */
  async changed(): Promise<void> {
    if (this.#hasChanged) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#wake = () => resolve(undefined);
    const timer = this.#isBlind ? setTimeout(this.#wake, lookMs) : undefined;
    await promise;
    this.#wake = null;
    clearTimeout(timer);
  }

  close(): void {
    for (const folder of [...this.#watchers.keys()]) this.#forget(folder);
  }

  #forget(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }
}

/** All folders there are. */
async function foldersBelow(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map(({ name }) => foldersBelow(join(root, name))),
  );
  return [root, ...below.flat()];
}
