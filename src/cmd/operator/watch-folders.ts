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
  const watchers = new Map<string, FSWatcher>();
  let isBlind = false;
  let hasChanged = true;
  let wake = (): void => undefined;
  const tell = (): void => {
    hasChanged = true;
    wake();
  };
  signal.addEventListener('abort', tell);
  try {
    while (!signal.aborted) {
      hasChanged = false;
      const folders = await foldersBelow(root);
      for (const [folder, watcher] of watchers) {
        if (folders.includes(folder)) continue;
        watcher.close();
        watchers.delete(folder);
      }
      isBlind = false;
      for (const folder of folders) {
        if (watchers.has(folder)) continue;
        try {
          const watcher = watch(folder, tell);
          watcher.on('error', () => {
            watcher.close();
            watchers.delete(folder);
            tell();
          });
          watchers.set(folder, watcher);
          // It may have changed before it was watched.
          hasChanged = true;
        } catch {
          isBlind = true;
        }
      }
      yield undefined;
      if (signal.aborted) return;
      if (!hasChanged) {
        const changed = Promise.withResolvers<undefined>();
        wake = () => changed.resolve(undefined);
        const timer = isBlind ? setTimeout(wake, lookMs) : undefined;
        await changed.promise;
        clearTimeout(timer);
      }
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, swarmMs));
    }
  } finally {
    signal.removeEventListener('abort', tell);
    for (const watcher of watchers.values()) watcher.close();
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
