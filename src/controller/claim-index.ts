/** Which resources speak of which virtual machine. */
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { keyOf, type ResourceKey, type ResourceSource } from '../runtime/resources.ts';

/** The uuid a resource is about: the one it names, or the one its name was resolved to. */
export const uuidOf = (resource: VirtualMachineMemory): string | undefined =>
  resource.spec.virtualMachine.uuid ?? resource.status?.virtualMachine?.uuid;

/** Whether `a` came before `b`; of two made in the same second the one whose uid sorts first. */
const isOlder = (a: VirtualMachineMemory, b: VirtualMachineMemory): boolean =>
  a.metadata.creationTimestamp === b.metadata.creationTimestamp
    ? a.metadata.uid < b.metadata.uid
    : a.metadata.creationTimestamp < b.metadata.creationTimestamp;

/** An index over a source of resources, by the uuid they are about. */
export class ClaimIndex {
  readonly #source: ResourceSource<VirtualMachineMemory>;
  readonly #keys = new Map<string, Set<ResourceKey>>();
  readonly #uuids = new Map<ResourceKey, string>();

  constructor(source: ResourceSource<VirtualMachineMemory>) {
    this.#source = source;
    for (const resource of source.list()) this.#update(keyOf(resource), resource);
    source.onChange(({ key, current }) => this.#update(key, current));
  }

  /** Keys of the resources about a virtual machine. */
  keysOf(uuid: string): readonly ResourceKey[] {
    return [...(this.#keys.get(uuid) ?? [])];
  }

  /** Learns the uuid that a name was resolved to, before the status says so. */
  resolved(key: ResourceKey, uuid: string): void {
    this.#set(key, uuid);
  }

  /** The resource that owns the virtual machine instead of `resource`: the oldest one, unless that is `resource`. */
  olderOwner(uuid: string, resource: VirtualMachineMemory): VirtualMachineMemory | null {
    let owner = resource;
    for (const key of this.keysOf(uuid)) {
      const other = this.#source.get(key);
      if (other !== undefined && other.metadata.uid !== resource.metadata.uid && isOlder(other, owner)) owner = other;
    }
    return owner === resource ? null : owner;
  }

  #update(key: ResourceKey, current: VirtualMachineMemory | undefined): void {
    const uuid = current === undefined ? undefined : uuidOf(current);
    if (uuid !== undefined) this.#set(key, uuid);
    else if (current === undefined) this.#unset(key);
  }

  #set(key: ResourceKey, uuid: string): void {
    if (this.#uuids.get(key) === uuid) return;
    this.#unset(key);
    this.#uuids.set(key, uuid);
    const keys = this.#keys.get(uuid) ?? new Set();
    keys.add(key);
    this.#keys.set(uuid, keys);
  }

  #unset(key: ResourceKey): void {
    const uuid = this.#uuids.get(key);
    if (uuid === undefined) return;
    this.#uuids.delete(key);
    const keys = this.#keys.get(uuid);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(uuid);
  }
}
