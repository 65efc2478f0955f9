/** What the files say, each as it was when it was last whole. */
import { isDeepStrictEqual } from 'node:util';
import type { SpecSchemas } from './crds.ts';
import { localhostManifest } from './localhost.ts';
import { readManifests } from './manifest.ts';
import type { Taken, TakenFile } from './manifest-directory.ts';
import type { FileReading } from './manifest-set.ts';

/** What counts where no file speaks of the in-process host. */
const localhostReading: FileReading = {
  name: '',
  text: '',
  manifests: [localhostManifest],
  problems: [],
  isWhole: true,
  doubtMs: 0,
  sinceMs: 0,
  isMoving: false,
};

export class Readings {
  readonly #schemas: SpecSchemas;
  readonly #byName = new Map<string, FileReading>();

  constructor(schemas: SpecSchemas) {
    this.#schemas = schemas;
  }

  /**
   * What all files say. One that can't be read, or is no YAML now, says what it said before.
   * @param keptHost the spec of the in-process host that is known; undefined: none is
   */
  read({ files, unread, moving }: Taken, keptHost: object | undefined): readonly FileReading[] {
    const names = new Set(files.map(({ name }) => name));
    for (const name of this.#byName.keys()) if (!names.has(name)) this.#byName.delete(name);
    const all = [
      ...files.map((file) => this.#readFile(file, moving.has(file.name))),
      ...[...unread].filter(([name]) => !names.has(name)).map(([name, message]) => unreadable(name, message)),
    ];
    return speaksOfLocalhost(all) || mayStillSpeak(all, keptHost) ? all : [...all, localhostReading];
  }

  #readFile({ name, text, doubtMs, sinceMs }: TakenFile, isMoving: boolean): FileReading {
    const known = this.#byName.get(name);
    if (known?.text === text) return { ...known, isMoving, sinceMs };
    const read = readManifests(name, text, this.#schemas);
    const manifests = read.isWhole ? read.manifests : (known?.manifests ?? []);
    const reading = { ...read, manifests, name, text, doubtMs, sinceMs, isMoving };
    this.#byName.set(name, reading);
    return reading;
  }
}

const unreadable = (name: string, message: string): FileReading => ({
  name,
  text: '',
  manifests: [],
  problems: [{ file: name, line: 1, column: 1, message }],
  isWhole: false,
  doubtMs: 0,
  sinceMs: 0,
  isMoving: false,
});

const speaksOfLocalhost = (readings: readonly FileReading[]): boolean =>
  readings.some(({ manifests, problems }) =>
    [...manifests, ...problems].some(({ key }) => key === localhostManifest.key),
  );

/** Whether a file that can't be read may be the one that set limits: without them nothing is to be done. */
const mayStillSpeak = (readings: readonly FileReading[], keptHost: object | undefined): boolean =>
  keptHost !== undefined &&
  !isDeepStrictEqual(keptHost, localhostManifest.spec) &&
  readings.some(({ isWhole, isMoving }) => !isWhole || isMoving);
