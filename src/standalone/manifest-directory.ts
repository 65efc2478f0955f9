/**
 * A directory of manifests, watched. Events of the file system are hints to look; what counts is what is found: a file
 * is taken when it has arrived whole (renamed, or behind a link that was turned), or has stood still.
 */
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { Arrivals } from './arrivals.ts';
import { type FoundFile, findFiles, readWhole } from './find-files.ts';

/** A file's text, as it was taken. */
export type TakenFile = {
  /** Below the directory, for people. */
  readonly name: string;
  readonly text: string;
  /** How long it must have been so before what may be half of something counts; 0: it came whole. ms */
  readonly doubtMs: number;
  /** Since when it is so, by the monotonic clock. */
  readonly sinceMs: number;
};

/** What is there. `unread`: files that can't be read, with the reason; `moving`: those that are being written. */
export type Taken = {
  readonly files: readonly TakenFile[];
  readonly unread: ReadonlyMap<string, string>;
  readonly moving: ReadonlySet<string>;
};

export type ManifestDirectoryOptions = {
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with everything that is there, after something has changed; the next look waits for it. */
  readonly onTaken: (taken: Taken) => Promise<void>;
};

/** How long a file that is written in place must stand still. */
const stillMs = 300;
/** How long the start waits for files that stand still. */
const firstMs = 1_000;
/** What no event told of (a link to elsewhere, another machine's change of a share) is found by looking this often. */
const lookMs = 5_000;
/** Events come in swarms; the first is followed at once, the next after so long. */
const swarmMs = 10;
/** Of a file that was written piece by piece, for all that is known. */
const inPlaceDoubtMs = 2_000;
/** Of one that was given its name whole, by the events: that of a write is told a moment after its bytes can be read. */
const heardDoubtMs = 10;

type Seen = { readonly file: FoundFile; readonly text: string; readonly sinceMs: number };

export class ManifestDirectory {
  readonly #options: ManifestDirectoryOptions;
  readonly #taken = new Map<string, TakenFile & { readonly file: FoundFile }>();
  /** Files that differ from what was taken, and since when they are as they are. */
  readonly #moving = new Map<string, Seen>();
  /** Files that were taken and aren't there, and since when. */
  readonly #missing = new Map<string, number>();
  #unread: ReadonlyMap<string, string> = new Map();
  readonly #arrivals = new Arrivals();
  #watchers = new Map<string, FSWatcher>();
  #timer: Timer | null = null;
  #dueAtMs = Infinity;
  #looking: Promise<void> | null = null;
  #lookAgain = false;
  #isFirst = true;
  #startedMs = 0;
  #mustTell = false;
  #closed = false;
  #trouble: string | null = null;

  constructor(options: ManifestDirectoryOptions) {
    this.#options = options;
  }

  /** Why the directory can't be read now; null: it can. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Takes what is there, then goes on watching until {@link close}. @throws the system's error when it isn't there */
  async start(): Promise<void> {
    await findFiles(this.#options.path);
    this.#startedMs = this.#options.clock.monotonic();
    await this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    await this.#looking;
  }

  /** Looks again within `ms`. */
  lookWithin(ms: number): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    const dueAtMs = clock.monotonic() + ms;
    if (this.#timer !== null && this.#dueAtMs <= dueAtMs) return;
    this.#timer?.cancel();
    this.#dueAtMs = dueAtMs;
    this.#timer = clock.after(ms, () => {
      this.#timer = null;
      void this.#look();
    });
  }

  #look(): Promise<void> {
    if (this.#looking !== null) {
      this.#lookAgain = true;
      return this.#looking;
    }
    this.#looking = this.#lookOnce()
      .catch((error: unknown) => {
        const trouble = error instanceof Error ? error.message : String(error);
        if (trouble !== this.#trouble) this.#options.logger.error({ err: trouble }, 'manifests could not be read');
        this.#trouble = trouble;
      })
      .finally(() => {
        this.#looking = null;
        this.lookWithin(this.#lookAgain ? swarmMs : lookMs);
        this.#lookAgain = false;
      });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const { path, clock, onTaken } = this.#options;
    const heardOf = this.#arrivals.paths();
    const found = await findFiles(path);
    this.#trouble = null;
    this.#watch(found.folders);
    const nowMs = clock.monotonic();
    const unread = new Map<string, string>();
    let hasChanged = this.#isFirst;
    for (const file of found.files) {
      const read = await this.#consider(file, nowMs);
      if (typeof read === 'string') unread.set(file.name, read);
      else hasChanged ||= read;
    }
    const present = new Set(found.files.map(({ name }) => name));
    const paths = new Set(found.files.map((file) => file.path));
    for (const each of heardOf) if (!paths.has(each)) this.#arrivals.forget(each);
    for (const name of this.#moving.keys()) if (!present.has(name)) this.#moving.delete(name);
    hasChanged = this.#forget(present, nowMs) || hasChanged;
    hasChanged ||= !isSameMap(unread, this.#unread);
    this.#unread = unread;
    const moving = new Set([...this.#moving.keys(), ...this.#missing.keys()]);
    // At the start a file is waited for that may still be written.
    if (this.#isFirst && moving.size > 0 && nowMs - this.#startedMs < firstMs) return;
    if (!hasChanged && !this.#mustTell) return;
    this.#mustTell = false;
    this.#isFirst = false;
    await onTaken({ files: [...this.#taken.values()], unread, moving });
  }

  /** Whether a file is taken for gone: some editors put it aside for a moment. */
  #forget(present: ReadonlySet<string>, nowMs: number): boolean {
    let hasForgotten = false;
    for (const name of this.#taken.keys()) {
      const sinceMs = this.#missing.get(name) ?? nowMs;
      if (present.has(name)) this.#missing.delete(name);
      else if (nowMs - sinceMs < stillMs) {
        this.#missing.set(name, sinceMs);
        this.lookWithin(stillMs);
      } else {
        this.#missing.delete(name);
        this.#taken.delete(name);
        hasForgotten = true;
      }
    }
    return hasForgotten;
  }

  /** Has {@link ManifestDirectoryOptions.onTaken} called again after `ms`, whatever has changed. */
  tellAgainWithin(ms: number): void {
    this.#options.clock.after(ms, () => {
      this.#mustTell = true;
      this.lookWithin(0);
    });
  }

  /** Whether something new was taken; a text: why it can't be read. */
  async #consider(file: FoundFile, nowMs: number): Promise<boolean | string> {
    const { name } = file;
    const taken = this.#taken.get(name);
    if (taken?.file.signature === file.signature) {
      this.#moving.delete(name);
      return false;
    }
    const read = await readWhole(file);
    if (!read.ok) return read.error;
    const { text } = read.value;
    // It was changed while it was read: a look at once, and no conclusion.
    if (read.value.signature !== file.signature) {
      this.#moving.set(name, { file, text, sinceMs: nowMs });
      this.lookWithin(swarmMs);
      return false;
    }
    const before = this.#moving.get(name);
    const isStill = before?.file.signature === file.signature && before.text === text;
    const stillForMs = isStill ? nowMs - before.sinceMs : 0;
    const isOther = file.identity !== taken?.file.identity;
    const isMoved = file.isMoved || (this.#isFirst && file.isOld);
    const arrived = isOther && (isMoved || (text !== '' && (await this.#arrivals.cameWhole(file.path))));
    if (!arrived && stillForMs < stillMs) {
      if (!isStill) this.#moving.set(name, { file, text, sinceMs: nowMs });
      this.lookWithin(stillMs - stillForMs);
      return false;
    }
    this.#moving.delete(name);
    if (taken?.text === text) {
      this.#taken.set(name, { ...taken, file });
      return false;
    }
    const sinceMs = arrived ? nowMs : (before?.sinceMs ?? nowMs);
    const doubtMs = !arrived ? inPlaceDoubtMs : isMoved ? 0 : heardDoubtMs;
    this.#taken.set(name, { name, text, doubtMs, sinceMs, file });
    return true;
  }

  /** One watcher a folder: what is behind links is watched where it is. */
  #watch(folders: readonly string[]): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.includes(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder) || this.#closed) continue;
      try {
        const watcher = watch(folder, { persistent: false }, (event, name) => {
          if (name !== null) this.#arrivals.heard(event, join(folder, name));
          this.lookWithin(this.#looking === null ? 0 : swarmMs);
        });
        // It has gone, or the system has no more watches: looking now and then finds what it would have told.
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(folder);
        });
        this.#watchers.set(folder, watcher);
      } catch (error) {
        this.#options.logger.debug({ folder, err: String(error) }, 'a folder can not be watched');
      }
    }
  }
}

const isSameMap = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean =>
  a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
