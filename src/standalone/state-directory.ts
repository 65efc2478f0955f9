/**
 * Where standalone keeps what an API server would: a folder a resource, with the resource itself, status and all, and its
 * last events; which directory it is; and what is wrong with the manifests.
 *
 *     instance-id
 *     manifests-path
 *     problems.json
 *     asked/
 *     virtualmachinememories/NAMESPACE/NAME/resource.json, events.json
 *     hypervisorhosts/NAME/resource.json, events.json
 *
 * A resource whose manifest has gone is kept as `removed.json`: it is the same one if the manifest comes back.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ManifestProblem } from './manifest.ts';
import { type Kind, kindFacts } from './kinds.ts';
import { overwrite, writeAtomically } from './atomic-file.ts';

export type ResourceName = { readonly kind: Kind; readonly namespace: string; readonly name: string };

const resourceFile = 'resource.json';
const removedFile = 'removed.json';
const eventsFile = 'events.json';
const problemsFile = 'problems.json';
const manifestsPathFile = 'manifests-path';

/** A kept text and where it lies. */
export type Kept = { readonly path: string; readonly text: string };

const isMissing = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function foldersIn(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

export class StateDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Makes the directory where it is missing. @throws the system's error */
  async prepare(): Promise<void> {
    await mkdir(this.path, { recursive: true });
  }

  /** Which state directory this is, made up once. @throws the system's error */
  async instanceId(): Promise<string> {
    const path = join(this.path, 'instance-id');
    const known = (await readIfThere(path))?.trim() ?? '';
    if (known !== '') return known;
    const made = randomUUID();
    await writeAtomically(path, `${made}\n`, { durable: true });
    return made;
  }

  /** Keeps where the manifests are, for whoever edits them. @throws the system's error */
  writeManifestsPath(path: string): Promise<void> {
    return writeAtomically(join(this.path, manifestsPathFile), `${path}\n`, { durable: false });
  }

  /** Where the manifests are that were last followed; null: it isn't known. */
  async manifestsPath(): Promise<string | null> {
    return (await readIfThere(join(this.path, manifestsPathFile)))?.trim() ?? null;
  }

  /** The folder of a resource. */
  folderOf(name: ResourceName): string {
    return dirname(this.#fileOf(name, resourceFile));
  }

  /** All resources of a kind that have a manifest, as they were kept. */
  async list(kind: Kind): Promise<readonly Kept[]> {
    const { plural, namespaced } = kindFacts[kind];
    const root = join(this.path, plural);
    const parents = namespaced ? (await foldersIn(root)).map((namespace) => join(root, namespace)) : [root];
    const folders = await Promise.all(
      parents.map(async (parent) => (await foldersIn(parent)).map((name) => join(parent, name))),
    );
    const kept = await Promise.all(
      folders.flat().map(async (folder): Promise<Kept | null> => {
        const path = join(folder, resourceFile);
        const text = await readIfThere(path);
        return text === null ? null : { path, text };
      }),
    );
    return kept.filter((each) => each !== null);
  }

  /** Keeps a resource. @throws the system's error; what was kept before still is */
  write(name: ResourceName, resource: object): Promise<void> {
    return writeAtomically(this.#fileOf(name, resourceFile), toJson(resource), { durable: true });
  }

  /** The manifest has gone. */
  async remove(name: ResourceName): Promise<void> {
    await rename(this.#fileOf(name, resourceFile), this.#fileOf(name, removedFile)).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }

  /** What was kept of a resource whose manifest had gone. */
  async removed(name: ResourceName): Promise<Kept | null> {
    const path = this.#fileOf(name, removedFile);
    const text = await readIfThere(path);
    return text === null ? null : { path, text };
  }

  /** Null: there are none. */
  async events(name: ResourceName): Promise<string | null> {
    return readIfThere(this.#fileOf(name, eventsFile));
  }

  writeEvents(name: ResourceName, events: readonly object[]): Promise<void> {
    return writeAtomically(this.#fileOf(name, eventsFile), toJson(events), { durable: false });
  }

  /** Keeps what is wrong; on a full disk, too, which may be what is wrong. @throws the system's error */
  async writeProblems(problems: readonly ManifestProblem[]): Promise<void> {
    const path = join(this.path, problemsFile);
    try {
      await writeAtomically(path, toJson(problems), { durable: false });
    } catch {
      await overwrite(path, toJson(problems));
    }
  }

  problems(): Promise<string | null> {
    return readIfThere(join(this.path, problemsFile));
  }

  #fileOf({ kind, namespace, name }: ResourceName, file: string): string {
    const { plural, namespaced } = kindFacts[kind];
    return join(this.path, plural, ...(namespaced ? [namespace] : []), name, file);
  }
}

const toJson = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
