/** The kinds of resources that are read, and where the API server keeps them. */
import { apiVersion } from '../api/v1alpha1/meta.ts';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Result } from '../memory/result.ts';
import type { LabelledResource, Resource, ResourceKey } from '../runtime/resources.ts';
import { decodeHypervisorHost, decodeNamespace, decodeVirtualMachineMemory } from '../api/v1alpha1/decode.ts';

export type ResourceKind<T extends Resource> = {
  readonly kind: string;
  /** `/api/v1` or `/apis/GROUP/VERSION`. */
  readonly base: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** A problem only where nothing can be made of the object. */
  readonly decode: (raw: unknown) => Result<T, string>;
};

export const virtualMachineMemories: ResourceKind<VirtualMachineMemory> = {
  kind: 'VirtualMachineMemory',
  base: `/apis/${apiVersion}`,
  plural: 'virtualmachinememories',
  namespaced: true,
  decode: decodeVirtualMachineMemory,
};

export const hypervisorHosts: ResourceKind<HypervisorHost> = {
  kind: 'HypervisorHost',
  base: `/apis/${apiVersion}`,
  plural: 'hypervisorhosts',
  namespaced: false,
  decode: decodeHypervisorHost,
};

export const namespaces: ResourceKind<LabelledResource> = {
  kind: 'Namespace',
  base: '/api/v1',
  plural: 'namespaces',
  namespaced: false,
  decode: decodeNamespace,
};

/** The path of all objects of the kind, in one namespace where one is given. */
export const collectionPath = (kind: ResourceKind<Resource>, namespace?: string): string =>
  namespace === undefined
    ? `${kind.base}/${kind.plural}`
    : `${kind.base}/namespaces/${encodeURIComponent(namespace)}/${kind.plural}`;

/** The path of one object. */
export const objectPath = (kind: ResourceKind<Resource>, metadata: Resource['metadata']): string =>
  `${collectionPath(kind, metadata.namespace)}/${encodeURIComponent(metadata.name)}`;

/** Namespace and name of a key. */
export function splitKey(key: ResourceKey): { readonly namespace: string | undefined; readonly name: string } {
  const slash = key.indexOf('/');
  return slash === -1
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
