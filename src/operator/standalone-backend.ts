/** What `dimmer standalone` keeps in its state directory, and the manifests that it follows. */
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import {
  observeRequestedAtAnnotation,
  pausedAnnotation,
  reconcileRequestedAtAnnotation,
} from '../api/v1alpha1/meta.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { parseQuantity } from '../memory/quantity.ts';
import { formatPlace } from '../standalone/manifest-place.ts';
import { StateDirectory } from '../standalone/state-directory.ts';
import type { ShownEvent } from '../view/events.ts';
import { findOtherWriters, type OtherWriter } from '../view/ownership.ts';
import { fullName } from '../view/subject.ts';
import { writeAsked } from '../standalone/asked.ts';
import type { ManifestFile } from '../standalone/manifest-file.ts';
import type { Backend, Seen, SizeSet, SizeWish, Trouble, WishSet } from './backend.ts';
import { eventsOf, readHosts, readState, type StandaloneState } from './read-state.ts';
import { changesBelow } from './watch-folders.ts';
import { specOf } from './write-size.ts';

const seenAs = <T extends object>(resource: T): Seen<T> => ({ resource, object: resource });

export class StandaloneBackend implements Backend {
  readonly place = 'standalone';
  readonly #folder: string;
  readonly #manifests: string | null;
  /** As it was last read. */
  #state: StandaloneState = { resources: [], problems: [], process: () => null };

  /** @param folder the state directory @param manifests null: where the process that uses it follows them */
  constructor(folder: string, manifests: string | null) {
    this.#folder = folder;
    this.#manifests = manifests;
  }

  async list(): Promise<readonly Seen[]> {
    this.#state = await readState(this.#folder);
    return this.#state.resources.map(seenAs);
  }

  async get(name: string): Promise<Seen> {
    const found = (await this.list()).filter((seen) => isNamed(seen, name));
    const [first, ...others] = found;
    if (first === undefined) throw new Error(`there is no resource ${name}; 'dimmer status' lists them`);
    if (others.length > 0) {
      throw new Error(`there are several of that name: ${found.map(({ resource }) => fullName(resource)).join(', ')}`);
    }
    return first;
  }

  async look(name: string): Promise<{ readonly seen: Seen; readonly events: readonly ShownEvent[] }> {
    const seen = await this.get(name);
    return { seen, events: await this.events(seen.resource) };
  }

  events(resource: VirtualMachineMemory): Promise<readonly ShownEvent[]> {
    return eventsOf(this.#folder, resource);
  }

  async hosts(): Promise<{ readonly hosts: readonly Seen<HypervisorHost>[]; readonly resources: readonly Seen[] }> {
    const resources = await this.list();
    return { hosts: (await readHosts(this.#folder)).map(seenAs), resources };
  }

  trouble(resource: VirtualMachineMemory | null): Trouble {
    const { problems, process } = this.#state;
    const concerned = problems.filter(
      ({ key }) => resource === null || key === `VirtualMachineMemory ${fullName(resource)}`,
    );
    return {
      problems: concerned.map((problem) => `${formatPlace(problem)} ${problem.message}`),
      note: process() === null ? "no 'dimmer standalone' runs: this is what was last known." : null,
    };
  }

  writers({ object }: Seen): readonly OtherWriter[] {
    return findOtherWriters(object);
  }

  /** Where the manifests are; null: it isn't known. */
  async manifests(): Promise<string | null> {
    return this.#manifests ?? new StateDirectory(this.#folder).manifestsPath();
  }

  /** @param dryRun only says whether it could be written */
  async setMemory({ resource }: Seen, wish: SizeWish, dryRun = false): Promise<SizeSet> {
    const file = await this.#manifestOf(resource);
    // The manifest is what is edited, and the resource is what was shown: they must say the same.
    if (sizeOf(file.spec['memory']) !== sizeOf(resource.spec.memory)) return { outcome: 'changed' };
    if (policyOf(file.spec['shrinkPolicy']) !== policyOf(resource.spec.shrinkPolicy)) return { outcome: 'changed' };
    const by = `in ${file.name}`;
    if (dryRun) {
      file.check(specOf(wish));
      return { outcome: 'set', by };
    }
    return (await file.write(specOf(wish))) ? { outcome: 'set', by } : { outcome: 'changed' };
  }

  /** Pauses a resource, or lets it go on. @throws Error where it can't be written */
  async setPaused({ resource }: Seen, paused: boolean): Promise<WishSet> {
    const annotation = resource.metadata.annotations?.[pausedAnnotation] ?? 'false';
    if (!paused && annotation !== 'false') {
      const message = `the annotation ${pausedAnnotation} says that nothing is changed: take it away in the manifest`;
      return { outcome: 'refused', message };
    }
    if (!paused && resource.spec.paused !== true) return { outcome: 'set' };
    const file = await this.#manifestOf(resource);
    return { outcome: (await file.write({ paused })) ? 'set' : 'changed' };
  }

  async ask({ resource }: Seen, what: 'retry' | 'observe', at: string): Promise<WishSet> {
    this.#state = await readState(this.#folder);
    if (this.#state.process() === null) {
      return { outcome: 'refused', message: "no 'dimmer standalone' runs that could be asked" };
    }
    const annotation = what === 'retry' ? reconcileRequestedAtAnnotation : observeRequestedAtAnnotation;
    await writeAsked(this.#folder, resource.metadata, { [annotation]: at });
    return { outcome: 'set' };
  }

  async #manifestOf({ metadata }: VirtualMachineMemory): Promise<ManifestFile> {
    const directory = await this.manifests();
    if (directory === null) throw new Error('it is not known where the manifests are: --manifests says it');
    // What reads YAML is loaded only for this.
    const { findManifestFile } = await import('../standalone/manifest-file.ts');
    return findManifestFile(directory, metadata);
  }

  async *follow(name: string | null, signal: AbortSignal): AsyncIterable<readonly Seen[]> {
    for await (const _ of changesBelow(this.#folder, signal)) {
      const all = await this.list();
      yield name === null ? all : all.filter((seen) => isNamed(seen, name));
    }
  }
}

const isNamed = ({ resource }: Seen, name: string): boolean =>
  fullName(resource) === name || resource.metadata.name === name;

/** As it counts where it isn't written. */
const policyOf = (value: unknown): unknown => value ?? 'Exact';

function sizeOf(value: unknown): number | null {
  const parsed = typeof value === 'string' || typeof value === 'number' ? parseQuantity(String(value)) : null;
  return parsed?.ok === true ? parsed.value : null;
}
