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
import { localhostManifest, localhostName } from './localhost.ts';
import { keyOfManifest, type ManifestKey, type ManifestProblem } from './manifest.ts';
import type { Taken } from './manifest-directory.ts';
import { type Accepted, combine } from './manifest-set.ts';
import type { NamedNamespaces } from './namespaces.ts';
import { ProblemReport } from './problem-report.ts';
import { Readings } from './readings.ts';
import type { ResourceStore } from './resource-store.ts';
import { findBrokenTransitions } from './rules.ts';
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

/** A manifest that is being written is looked at no more often. */
const movingMs = 100;
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
  readonly #readings: Readings;
  readonly #report: ProblemReport;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#readings = new Readings(options.schemas);
    this.#report = new ProblemReport(options.state, options.logger);
  }

  /** What is wrong now. */
  get problems(): readonly ManifestProblem[] {
    return this.#report.problems;
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
    const host = this.#options.hosts.get(localhostName) ?? this.#kept.get(localhostManifest.key);
    const set = combine(this.#readings.read(taken, host?.spec));
    const problems = [...set.problems, ...this.#unreadable];
    const left = new Set(this.#unreadable.flatMap(({ key }) => (key === undefined ? [] : [key])));
    const inOrder = set.accepted.toSorted((a, b) => kinds.indexOf(b.manifest.kind) - kinds.indexOf(a.manifest.kind));
    for (const accepted of inOrder) {
      if (left.has(accepted.manifest.key)) continue;
      problems.push(...(await this.#apply(accepted)));
    }
    const spoken = new Set([...set.accepted.map(({ manifest }) => manifest.key), ...set.held, ...left]);
    if (set.isComplete) problems.push(...(await this.#removeAllBut(spoken)));
    await this.#report.tell(problems);
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
          findBrokenTransitions(schemas[kind], manifest.spec, read.value.spec, ['spec']).length === 0
        ) {
          before = read.value;
        }
      }
      if (before !== undefined) {
        const broken = findBrokenTransitions(schemas[kind], manifest.spec, before.spec, ['spec']);
        if (broken.length > 0) {
          return broken.map(({ path, message }) => ({
            ...manifest.placeOf(path),
            key,
            message: `${formatPath(path)}: ${message}`,
          }));
        }
      }
      const next = applyManifest(manifest, before, clock.now());
      const isNews = before === undefined || !isDeepStrictEqual(before, next);
      // What a file said before it was spoiled, and had no time to count, was half of something.
      if (isNews && !reading.isWhole) return [];
      if (isNews && reading.doubtMs > 0 && mayBeHalf(before, manifest, reading.text)) {
        const restMs = reading.sinceMs + reading.doubtMs - clock.monotonic();
        if (reading.isMoving || restMs > 0) {
          logger.debug({ key, restMs }, 'a manifest may be half-written, and is looked at again');
          again(Math.max(restMs, reading.isMoving ? movingMs : 0));
          return [];
        }
      }
      namespaces.know(metadata.namespace);
      if (shown === undefined && before !== undefined && this.#kept.has(key) && !isNews) {
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
