/**
 * What is asked of a running standalone beside its manifests: another try, another look. A file in the state directory,
 * which the process takes away once it has read it: no manifest changes for what holds for a moment, and nobody who may not
 * write the state directory can ask.
 */
import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { observeRequestedAtAnnotation, reconcileRequestedAtAnnotation } from '../api/v1alpha1/meta.ts';
import { map, Mismatch, object, text } from '../memory/shape.ts';
import { writeAtomically } from './atomic-file.ts';

/** All that may be asked so. */
const askable: ReadonlySet<string> = new Set([reconcileRequestedAtAnnotation, observeRequestedAtAnnotation]);

type Annotations = Readonly<Record<string, string>>;
const pick = (annotations: Annotations | undefined, isAsked: boolean): Annotations =>
  Object.fromEntries(Object.entries(annotations ?? {}).filter(([key]) => askable.has(key) === isAsked));

/** Those of the annotations that may have been asked for without a manifest. */
export const askedIn = (annotations: Annotations | undefined): Annotations => pick(annotations, true);
/** The others, which only a manifest says. */
export const manifestOnly = (annotations: Annotations): Annotations => pick(annotations, false);

const asked = object({ namespace: text(), name: text(), annotations: map(text({ maxLength: 256 })) });
/** `annotations`: only such as may be asked for. */
export type Asked = { readonly namespace: string; readonly name: string; readonly annotations: Annotations };

const folderIn = (state: string): string => join(state, 'asked');
/** `_` is in no name of either. */
const fileOf = ({ namespace, name }: Pick<Asked, 'namespace' | 'name'>): string => `${namespace}_${name}.json`;

/** Asks. @throws the system's error */
export function writeAsked(
  state: string,
  { namespace, name }: Pick<Asked, 'namespace' | 'name'>,
  annotations: Annotations,
): Promise<void> {
  const path = join(folderIn(state), fileOf({ namespace, name }));
  return writeAtomically(path, `${JSON.stringify({ namespace, name, annotations })}\n`, { durable: false });
}

/** Hears what is asked, from its start on. */
export class AskedFolder {
  readonly #path: string;
  readonly #onAsked: (asked: Asked) => Promise<void>;
  #watcher: FSWatcher | null = null;
  #reading: Promise<void> = Promise.resolve();

  /** @param state the state directory @param onAsked what it throws is passed over: who asked may ask again */
  constructor(state: string, onAsked: (asked: Asked) => Promise<void>) {
    this.#path = folderIn(state);
    this.#onAsked = onAsked;
  }

  /** What was asked of a process before is asked no longer: this one looks at everything anyway. @throws the system's error */
  async start(): Promise<void> {
    await rm(this.#path, { recursive: true, force: true });
    await mkdir(this.#path, { recursive: true });
    this.#watcher = watch(this.#path, () => {
      this.#reading = this.#reading.then(() => this.#take()).catch(() => undefined);
    });
    this.#watcher.on('error', () => this.#watcher?.close());
  }

  async close(): Promise<void> {
    this.#watcher?.close();
    await this.#reading;
  }

  async #take(): Promise<void> {
    for (const file of await readdir(this.#path)) {
      if (file.startsWith('.') || !file.endsWith('.json')) continue;
      const path = join(this.#path, file);
      const text = await readFile(path, 'utf8').catch(() => null);
      await rm(path, { force: true });
      const read = text === null ? null : readAsked(text);
      if (read !== null) await this.#onAsked(read).catch(() => undefined);
    }
  }
}

/** null: nobody wrote that who knows how. */
function readAsked(written: string): Asked | null {
  try {
    const read = asked.read(JSON.parse(written));
    return read instanceof Mismatch ? null : { ...read, annotations: askedIn(read.annotations) };
  } catch {
    return null;
  }
}
