/** From files to resources: what was taken of the directory is read, judged, kept, and only then shown to the reconcilers. */
import { isDeepStrictEqual } from 'node:util';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { keyOf } from '../runtime/resources.ts';
import type { SpecSchemas } from './crds.ts';
import { type Kind, kinds } from './kinds.ts';
import { mayBeHalf } from './judge-change.ts';
import { applyManifest, type OurResource, readKept } from './kept-resources.ts';
import { localhostManifest } from './localhost.ts';
import { keyOfManifest, type ManifestKey, type ManifestProblem, readManifests } from './manifest.ts';
import type { Taken, TakenFile } from './manifest-directory.ts';
import { type Accepted, combine, type FileReading } from './manifest-set.ts';
import type { NamedNamespaces } from './namespaces.ts';
import type { ResourceStore } from './resource-store.ts';
import { findBrokenRules } from './rules.ts';
import { formatPath } from './schema.ts';
import type { StateDirectory } from './state-directory.ts';

export type IntakeOptions = {
  readonly schemas: SpecSchemas;
  readonly state: StateDirectory;
  readonly memories: ResourceStore<VirtualMachineMemory>;
  readonly hosts: ResourceStore<HypervisorHost>;
  readonly namespaces: NamedNamespaces;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Has {@link Intake.take} called again after so many milliseconds. */
  readonly again: (ms: number) => void;
};

/** After so long a manifest that may be half of one counts, when nothing has changed since. */
const secondLookMs = 2_000;
const retryMs = 5_000;

const keyOfResource = ({ kind, metadata }: OurResource): ManifestKey =>
  keyOfManifest(kind, { name: metadata.name, namespace: metadata.namespace ?? '' });

const describe = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));

export class Intake {
  readonly #options: IntakeOptions;
  /** Resources of the state directory that no manifest has spoken of since the start. */
  readonly #kept = new Map<ManifestKey, OurResource>();
  /** What is kept and can't be read. */
  readonly #unreadable: ManifestProblem[] = [];
  readonly #readings = new Map<string, { readonly text: string; readonly reading: FileReading }>();
  #problems: readonly ManifestProblem[] = [];

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** What is wrong now. */
  get problems(): readonly ManifestProblem[] {
    return this.#problems;
  }

  /** Reads what the state directory has. @throws the system's error */
  async load(): Promise<void> {
    for (const kind of kinds) for (const kept of await this.#options.state.list(kind)) this.#loadOne(kind, kept);
  }

  #loadOne(kind: Kind, kept: { readonly path: string; readonly text: string }): void {
    const read = readKept(kind, kept);
    if (read.ok) {
      this.#kept.set(keyOfResource(read.value), read.value);
      return;
    }
    const [name = '', parent = ''] = kept.path.split('/').slice(-3, -1).reverse();
    const message = `what was kept of this resource can't be read, so it is left alone (${read.error}); take the file away to begin anew: where a VM is still claimed by what it was, 'dimmer agent release UUID' ends that`;
    const key = keyOfManifest(kind, { name, namespace: parent });
    this.#unreadable.push({ file: kept.path, line: 1, column: 1, message, key });
  }

  /** Makes of everything that there is what it says. Never throws; what is wrong is said. */
  async take(taken: Taken): Promise<void> {
    const readings = this.#read(taken);
    const set = combine(readings);
    const problems = [...set.problems, ...this.#unreadable];
    const left = new Set(this.#unreadable.flatMap(({ key }) => (key === undefined ? [] : [key])));
    const inOrder = set.accepted.toSorted((a, b) => kinds.indexOf(b.manifest.kind) - kinds.indexOf(a.manifest.kind));
    for (const accepted of inOrder) {
      if (left.has(accepted.manifest.key)) continue;
      problems.push(...(await this.#apply(accepted)));
    }
    const spoken = new Set([...set.accepted.map(({ manifest }) => manifest.key), ...set.held, ...left]);
    if (set.isComplete) problems.push(...(await this.#removeAllBut(spoken)));
    await this.#tell(problems);
  }

  /** A file that can't be read, or is no YAML now, says what it said before. */
  #read({ files, unread, moving }: Taken): readonly FileReading[] {
    const readings = files.map((file) => this.#readFile(file, moving.has(file.name)));
    const names = new Set(files.map(({ name }) => name));
    for (const name of this.#readings.keys()) if (!names.has(name)) this.#readings.delete(name);
    const untaken = [...unread].map(([name, message]): FileReading => {
      const problem = { file: name, line: 1, column: 1, message };
      return { name, manifests: [], problems: [problem], isWhole: false, inPlace: true, sinceMs: 0, isMoving: false };
    });
    const all = [...readings, ...untaken];
    // A file that is on its way may say it otherwise.
    const isNamed = all.some(
      ({ manifests, problems }) =>
        manifests.some(({ key }) => key === localhostManifest.key) ||
        problems.some(({ key }) => key === localhostManifest.key),
    );
    const isUnknown = all.some(({ isWhole, manifests }) => !isWhole && manifests.length === 0);
    if (isNamed || (isUnknown && this.#options.hosts.get('localhost') === undefined && this.#keptDiffers())) return all;
    return [...all, localhostReading];
  }

  /** Whether the in-process host once had a manifest of its own. */
  #keptDiffers(): boolean {
    const kept = this.#kept.get(localhostManifest.key);
    return kept !== undefined && !isDeepStrictEqual(applyManifest(localhostManifest, kept, 0).spec, kept.spec);
  }

  #readFile({ name, text, inPlace, sinceMs }: TakenFile, isMoving: boolean): FileReading {
    const known = this.#readings.get(name);
    if (known?.text === text) return { ...known.reading, isMoving, sinceMs };
    const read = readManifests(name, text, this.#options.schemas);
    const manifests = read.isWhole ? read.manifests : (known?.reading.manifests ?? []);
    const reading = { ...read, manifests, name, inPlace, sinceMs, isMoving };
    this.#readings.set(name, { text, reading });
    return reading;
  }

  async #apply({ manifest, reading }: Accepted): Promise<readonly ManifestProblem[]> {
    const { state, clock, namespaces, logger, again, schemas } = this.#options;
    const { kind, key, metadata } = manifest;
    const shown = this.#storeOf(kind).get(
      keyOf({ metadata: { ...metadata, ...namespaceOf(metadata) } } as OurResource),
    );
    let before: OurResource | undefined = shown ?? this.#kept.get(key);
    try {
      if (before === undefined) {
        const removed = await state.removed({ kind, ...metadata });
        const read = removed === null ? null : readKept(kind, removed);
        // Who writes another VM into a manifest that is made anew means another resource.
        if (
          read?.ok === true &&
          findBrokenRules(schemas[kind], manifest.spec, read.value.spec, ['spec']).length === 0
        ) {
          before = read.value;
        }
      }
      if (before !== undefined) {
        const broken = findBrokenRules(schemas[kind], manifest.spec, before.spec, ['spec']);
        if (broken.length > 0) {
          return broken.map(({ path, message }) => ({
            ...manifest.placeOf(path),
            key,
            message: `${formatPath(path)}: ${message}`,
          }));
        }
        if (reading.inPlace && mayBeHalf(before, manifest)) {
          const restMs = reading.sinceMs + secondLookMs - clock.monotonic();
          if (reading.isMoving || restMs > 0) {
            logger.debug({ key, restMs }, 'a manifest may be half-written, and is looked at again');
            again(Math.max(restMs, 1));
            return [];
          }
        }
      }
      const next = applyManifest(manifest, before, clock.now());
      namespaces.know(metadata.namespace);
      if (shown === undefined && before !== undefined && this.#kept.has(key) && isSameManifest(before, next)) {
        this.#show(next);
      } else {
        await this.#put(next);
      }
      this.#kept.delete(key);
      return [];
    } catch (error) {
      again(retryMs);
      const message = `the state directory can't be written, so nothing is changed: ${describe(error)}`;
      return [{ ...manifest.place, key, message }];
    }
  }

  async #removeAllBut(spoken: ReadonlySet<ManifestKey>): Promise<readonly ManifestProblem[]> {
    const { state, memories, hosts, again } = this.#options;
    const gone = [...memories.list(), ...hosts.list(), ...this.#kept.values()].filter(
      (resource) => !spoken.has(keyOfResource(resource)),
    );
    const problems: ManifestProblem[] = [];
    for (const resource of gone) {
      const { kind, metadata } = resource;
      const key = keyOfResource(resource);
      try {
        if (this.#kept.delete(key))
          await state.remove({ kind, name: metadata.name, namespace: metadata.namespace ?? '' });
        else if (kind === 'HypervisorHost') await hosts.remove(resource);
        else await memories.remove(resource);
      } catch (error) {
        again(retryMs);
        const message = `the state directory can't be written: ${describe(error)}`;
        problems.push({ file: state.path, line: 1, column: 1, key, message });
      }
    }
    return problems;
  }

  /** Says what is wrong, where that has changed. */
  async #tell(problems: readonly ManifestProblem[]): Promise<void> {
    const { logger, state } = this.#options;
    const before = this.#problems;
    this.#problems = problems;
    const isIn = (all: readonly ManifestProblem[], one: ManifestProblem): boolean =>
      all.some((each) => isDeepStrictEqual(each, one));
    for (const problem of problems) {
      const { file, line, column, message, key } = problem;
      if (!isIn(before, problem)) logger.error({ file, line, column, key, err: message }, 'a manifest is wrong');
    }
    for (const problem of before) {
      const { file, line, column, key } = problem;
      if (!isIn(problems, problem)) logger.info({ file, line, column, key }, 'a manifest is no longer wrong there');
    }
    if (isDeepStrictEqual(before, problems) && this.#hasTold) return;
    this.#hasTold = true;
    await state.writeProblems(problems).catch((error: unknown) => {
      this.#hasTold = false;
      logger.error({ err: describe(error) }, 'what is wrong with the manifests can not be kept');
    });
  }

  #hasTold = false;

  #storeOf(kind: Kind): ResourceStore<VirtualMachineMemory> | ResourceStore<HypervisorHost> {
    return kind === 'HypervisorHost' ? this.#options.hosts : this.#options.memories;
  }

  #put(resource: OurResource): Promise<void> {
    const { hosts, memories } = this.#options;
    return resource.kind === 'HypervisorHost' ? hosts.put(resource) : memories.put(resource);
  }

  #show(resource: OurResource): void {
    const { hosts, memories } = this.#options;
    if (resource.kind === 'HypervisorHost') hosts.restore(resource);
    else memories.restore(resource);
  }
}

const namespaceOf = ({ namespace }: { readonly namespace: string }): { readonly namespace?: string | undefined } => ({
  namespace: namespace === '' ? undefined : namespace,
});

const isSameManifest = (a: OurResource, b: OurResource): boolean => isDeepStrictEqual(a, b);

/** What counts where no file speaks of the in-process host. */
const localhostReading: FileReading = {
  name: '',
  manifests: [localhostManifest],
  problems: [],
  isWhole: true,
  inPlace: false,
  sinceMs: 0,
  isMoving: false,
};
