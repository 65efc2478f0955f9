/** Which resources speak of which virtual machine. */
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { keyOf, type ResourceKey, type ResourceSource } from '../../runtime/resources.ts';

/** The uuid a resource is about: the one it names, or the one its name was resolved to. */
const uuidOf = (resource: VirtualMachineMemory): string | undefined =>
  resource.spec.virtualMachine.uuid ?? resource.status?.virtualMachine?.uuid;

/** The host and the name by which a resource finds its virtual machine; undefined: it goes by uuid. */
const placeOf = ({ spec }: VirtualMachineMemory): string | undefined =>
  spec.virtualMachine.name === undefined || spec.hostRef === undefined
    ? undefined
    : JSON.stringify([spec.hostRef.name, spec.virtualMachine.name]);

/** Keys by what they are filed under; a key is filed under one thing at a time. */
class KeyIndex {
  readonly #keys = new Map<string, Set<ResourceKey>>();
  readonly #filed = new Map<ResourceKey, string>();

  find(under: string): readonly ResourceKey[] {
    return [...(this.#keys.get(under) ?? [])];
  }

  /** undefined: under nothing any more. */
  file(key: ResourceKey, under: string | undefined): void {
    const before = this.#filed.get(key);
    if (before === under) return;
    if (before !== undefined) {
      const keys = this.#keys.get(before);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(before);
      this.#filed.delete(key);
    }
    if (under === undefined) return;
    this.#filed.set(key, under);
    const keys = this.#keys.get(under) ?? new Set();
    keys.add(key);
    this.#keys.set(under, keys);
  }
}

/** An index over a source of resources, by the uuid they are about, and by host and name. */
export class ClaimIndex {
  readonly #source: ResourceSource<VirtualMachineMemory>;
  readonly #byUuid = new KeyIndex();
  readonly #byPlace = new KeyIndex();

  constructor(source: ResourceSource<VirtualMachineMemory>) {
    this.#source = source;
  }

  /** Files what there is, and follows the source until the returned function is called. Empty before. */
  follow(): () => void {
    for (const resource of this.#source.list()) this.#update(keyOf(resource), resource);
    return this.#source.onChange(({ key, current }) => this.#update(key, current));
  }

  /** Keys of the resources about a virtual machine. */
  keysOf(uuid: string): readonly ResourceKey[] {
    return this.#byUuid.find(uuid);
  }

  /** Learns the uuid that a name was resolved to, before the status says so. */
  resolved(key: ResourceKey, uuid: string): void {
    if (this.#source.get(key) !== undefined) this.#byUuid.file(key, uuid);
  }

  /** Keys of the resources that may be about the same virtual machine as `resource`, which may be gone. */
  keysBeside(resource: VirtualMachineMemory): readonly ResourceKey[] {
    const uuid = uuidOf(resource);
    const place = placeOf(resource);
    const beside = new Set([
      ...(uuid === undefined ? [] : this.#byUuid.find(uuid)),
      ...(place === undefined ? [] : this.#byPlace.find(place)),
    ]);
    beside.delete(keyOf(resource));
    return [...beside];
  }

  /**
   * The resources that might speak of the machine `uuid`, called `name`, on a host. None is missing for not having
   * been reconciled yet: a name is compared with what the machine is called now.
   */
  candidates(hostName: string, uuid: string, name: string): readonly VirtualMachineMemory[] {
    const keys = new Set([...this.#byUuid.find(uuid), ...this.#byPlace.find(JSON.stringify([hostName, name]))]);
    return [...keys].flatMap((key) => this.#source.get(key) ?? []);
  }

  #update(key: ResourceKey, current: VirtualMachineMemory | undefined): void {
    this.#byPlace.file(key, current === undefined ? undefined : placeOf(current));
    const uuid = current === undefined ? undefined : uuidOf(current);
    // What a name was resolved to stays known until the status says it.
    if (uuid !== undefined || current === undefined) this.#byUuid.file(key, uuid);
  }
}
