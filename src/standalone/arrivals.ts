/**
 * How files came, by the events of their folders. A program that writes and renames within one tick of the file system's
 * clock (`sed -i`) leaves no trace in the file's times; what tells is that nothing was written under the name it has now.
 */
import { setImmediate } from 'node:timers/promises';

/** Whether the system tells of every write: inotify does (IN_MODIFY), what other systems have only of a folder's entries. */
const tellsOfWrites = process.platform === 'linux';

export class Arrivals {
  /** By path: whether something was written under that name since its entry is there. */
  readonly #written = new Map<string, boolean>();

  /** Takes an event of `fs.watch`: `rename` where an entry came or went, `change` where something was written. */
  heard(event: string, path: string): void {
    if (event === 'rename') this.#written.set(path, false);
    else if (this.#written.has(path)) this.#written.set(path, true);
  }

  /**
   * Whether the file at `path` was given its name when it was written already, by all that has happened until now. False
   * where nobody knows.
   */
  async cameWhole(path: string): Promise<boolean> {
    if (!tellsOfWrites || this.#written.get(path) !== false) return false;
    // What the system had to tell before is heard once it was asked: by the turn of the event loop after this one.
    await setImmediate();
    await setImmediate();
    return this.#written.get(path) === false;
  }

  /** The paths that something was heard of. */
  paths(): readonly string[] {
    return [...this.#written.keys()];
  }

  forget(path: string): void {
    this.#written.delete(path);
  }
}
