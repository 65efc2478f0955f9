/** A cluster, asked through the user's own kubectl. */
import { decodeHypervisorHost, decodeVirtualMachineMemory } from '../api/v1alpha1/decode.ts';
import { observeRequestedAtAnnotation, reconcileRequestedAtAnnotation } from '../api/v1alpha1/meta.ts';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Result } from '../memory/result.ts';
import { isObject } from '../memory/shape.ts';
import type { ShownEvent } from '../view/events.ts';
import { findOtherWriters, type OtherWriter } from '../view/ownership.ts';
import { fullName } from '../view/subject.ts';
import { systemClock } from '../runtime/clock.ts';
import { sleep } from '../runtime/sleep.ts';
import type { Backend, Seen, SizeSet, SizeWish, Trouble, WishSet } from './backend.ts';
import { type ClusterEvent, readClusterEvents } from './cluster-events.ts';
import { type ClusterPlace, Kubectl } from './kubectl.ts';
import { specOf } from './write-size.ts';

const memories = 'virtualmachinememories.dimmer.dev';
const hypervisors = 'hypervisorhosts.dimmer.dev';
/** Under this name our writes stand in metadata.managedFields. */
const fieldManager = 'kubectl-dimmer';
/** A watch that the API server ends is begun anew after so long. */
const againMs = 1_000;

const itemsOf = (list: unknown): readonly unknown[] =>
  isObject(list) && Array.isArray(list['items']) ? (list['items'] as readonly unknown[]) : [];

/** What can't be read as a resource isn't shown. */
function seenIn<T>(objects: readonly unknown[], decode: (raw: unknown) => Result<T, string>): readonly Seen<T>[] {
  return objects.flatMap((object) => {
    const read = decode(object);
    return read.ok && isObject(object) ? [{ resource: read.value, object }] : [];
  });
}

const byName = (a: Seen, b: Seen): number => (fullName(a.resource) < fullName(b.resource) ? -1 : 1);

export class ClusterBackend implements Backend {
  readonly place = 'cluster';
  readonly #kubectl: Kubectl;
  readonly #everywhere: readonly string[];

  /** @param everywhere in all namespaces */
  constructor(place: ClusterPlace, everywhere: boolean, signal: AbortSignal) {
    this.#kubectl = new Kubectl(place, signal);
    this.#everywhere = everywhere ? ['--all-namespaces'] : [];
  }

  async list(): Promise<readonly Seen[]> {
    const list = await this.#kubectl.read(['get', memories, ...this.#everywhere]);
    return seenIn(itemsOf(list), decodeVirtualMachineMemory).toSorted(byName);
  }

  async get(name: string): Promise<Seen> {
    const object = await this.#kubectl.read(['get', memories, ...wordsFor(name), '--show-managed-fields']);
    const [seen] = seenIn([object], decodeVirtualMachineMemory);
    if (seen === undefined) throw new Error(`${name} is nothing that can be read as a VirtualMachineMemory`);
    return seen;
  }

  async look(name: string): Promise<{ readonly seen: Seen; readonly events: readonly ShownEvent[] }> {
    const [within, short = ''] = name.includes('/') ? name.split('/', 2) : [null, name];
    const [seen, events] = await Promise.all([this.get(name), this.#eventsOf(short, within ?? null)]);
    const { uid } = seen.resource.metadata;
    return { seen, events: events.filter((event) => event.uid === uid) };
  }

  async events({ metadata }: VirtualMachineMemory): Promise<readonly ShownEvent[]> {
    const events = await this.#eventsOf(metadata.name, metadata.namespace);
    return events.filter(({ uid }) => uid === metadata.uid);
  }

  async #eventsOf(name: string, namespace: string | null): Promise<readonly ClusterEvent[]> {
    const selector = `involvedObject.kind=VirtualMachineMemory,involvedObject.name=${name}`;
    const where = namespace === null ? [] : [`--namespace=${namespace}`];
    const { code, stdout } = await this.#kubectl.run([
      ...['get', 'events', ...where, `--field-selector=${selector}`, '--output=json'],
    ]);
    // Whoever may not see them sees the rest.
    return code === 0 ? readClusterEvents(itemsOf(JSON.parse(stdout))) : [];
  }

  async hosts(): Promise<{
    readonly hosts: readonly Seen<HypervisorHost>[];
    readonly resources: readonly Seen[] | null;
  }> {
    const [hosts, all] = await Promise.all([
      this.#kubectl.read(['get', hypervisors]),
      this.#kubectl.run(['get', memories, '--all-namespaces', '--output=json']),
    ]);
    return {
      hosts: seenIn(itemsOf(hosts), decodeHypervisorHost),
      resources:
        all.code === 0 ? seenIn(itemsOf(JSON.parse(all.stdout)), decodeVirtualMachineMemory).toSorted(byName) : null,
    };
  }

  trouble(): Trouble {
    return { problems: [], note: null };
  }

  writers({ object }: Seen): readonly OtherWriter[] {
    return findOtherWriters(object);
  }

  async setMemory({ resource }: Seen, wish: SizeWish): Promise<SizeSet> {
    const { resourceVersion } = resource.metadata;
    const { code, told } = await this.#patch(resource, { metadata: { resourceVersion }, spec: specOf(wish) });
    if (code === 0) {
      // What admission has to warn of.
      if (told !== '') process.stderr.write(`${told}\n`);
      return { outcome: 'set', by: 'in the cluster' };
    }
    // kubectl prints the reason of an API server's answer in these forms (pkg/cmd/util/helpers.go).
    if (told.startsWith('Error from server (Conflict)')) return { outcome: 'changed' };
    if (/^The \S+ "[^"]*" is invalid/.test(told)) return { outcome: 'refused', message: told };
    throw new Error(told === '' ? 'kubectl failed' : told);
  }

  async ask({ resource }: Seen, what: 'retry' | 'observe', at: string): Promise<WishSet> {
    const annotation = what === 'retry' ? reconcileRequestedAtAnnotation : observeRequestedAtAnnotation;
    const { uid } = resource.metadata;
    const { code, told } = await this.#patch(resource, { metadata: { uid, annotations: { [annotation]: at } } });
    return code === 0 ? { outcome: 'set' } : { outcome: 'refused', message: told };
  }

  async #patch(
    { metadata: { name, namespace } }: VirtualMachineMemory,
    patch: object,
  ): Promise<{ readonly code: number; readonly told: string }> {
    const { code, stderr } = await this.#kubectl.run([
      ...['patch', memories, name, `--namespace=${namespace}`, '--type=merge', `--patch=${JSON.stringify(patch)}`],
      `--field-manager=${fieldManager}`,
    ]);
    return { code, told: stderr.trim() };
  }

  async *follow(name: string | null, signal: AbortSignal): AsyncIterable<readonly Seen[]> {
    const words = ['get', memories, ...(name === null ? this.#everywhere : wordsFor(name))];
    while (!signal.aborted) {
      // What went while nobody watched, only a list tells.
      const now = name === null ? await this.list() : [await this.get(name)];
      const known = new Map(now.map((seen) => [seen.resource.metadata.uid, seen]));
      yield now;
      for await (const event of this.#kubectl.watch(words, signal)) {
        if (!isObject(event)) continue;
        const [seen] = seenIn([event['object']], decodeVirtualMachineMemory);
        if (seen === undefined) continue;
        const { uid, resourceVersion } = seen.resource.metadata;
        // It begins with all that is there.
        if (event['type'] !== 'DELETED' && known.get(uid)?.resource.metadata.resourceVersion === resourceVersion)
          continue;
        if (event['type'] === 'DELETED') known.delete(uid);
        else known.set(uid, seen);
        yield [...known.values()].toSorted(byName);
      }
      await sleep(systemClock, againMs, signal);
    }
  }
}

/** `db-1`, or `tenants/db-1`. */
function wordsFor(name: string): readonly string[] {
  const [first = '', second] = name.split('/', 2);
  return second === undefined ? [first] : [second, `--namespace=${first}`];
}
