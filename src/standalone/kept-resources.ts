/** Resources as the state directory has them, and what becomes of one when its manifest speaks. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { decodeHypervisorHost, decodeVirtualMachineMemory } from '../api/v1alpha1/decode.ts';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import { apiVersion } from '../api/v1alpha1/meta.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { fail, type Result } from '../memory/result.ts';
import { askedIn } from './asked.ts';
import type { Kind } from './kinds.ts';
import type { Manifest } from './manifest.ts';
import type { Kept } from './state-directory.ts';

export type OurResource = VirtualMachineMemory | HypervisorHost;

const decoders: Readonly<Record<Kind, (raw: unknown) => Result<OurResource, string>>> = {
  VirtualMachineMemory: decodeVirtualMachineMemory,
  HypervisorHost: decodeHypervisorHost,
};

/** A resource of a kind, from what was kept of it. */
export function readKept(kind: Kind, { text }: Kept): Result<OurResource, string> {
  try {
    return decoders[kind](JSON.parse(text));
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/**
 * The resource that a manifest makes of the one before it: the same one with another generation where its spec is
 * another; a new one where there was none. @param nowMs epoch milliseconds
 */
export function applyManifest(manifest: Manifest, before: OurResource | undefined, nowMs: number): OurResource {
  const { kind, metadata, spec } = manifest;
  const { name, namespace, labels, annotations } = metadata;
  // What was asked for without the manifest stays asked for; what the manifest says counts.
  const said = { ...askedIn(before?.metadata.annotations), ...annotations };
  const make = (generation: number): OurResource => {
    const read = decoders[kind]({
      metadata: {
        name,
        ...(namespace === '' ? {} : { namespace }),
        uid: before?.metadata.uid ?? randomUUID(),
        resourceVersion: before?.metadata.resourceVersion ?? '0',
        generation,
        creationTimestamp: before?.metadata.creationTimestamp ?? `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
        // The controller's; no file is held up by them (docs/adr/0038-standalone.md).
        finalizers: before?.metadata.finalizers,
        ...(Object.keys(labels).length === 0 ? {} : { labels }),
        ...(Object.keys(said).length === 0 ? {} : { annotations: said }),
      },
      spec,
      status: before?.status,
    });
    if (!read.ok) throw new Error(`${apiVersion} ${kind}: ${read.error}`);
    return read.value;
  };
  if (before === undefined) return make(1);
  const same = make(before.metadata.generation);
  return isDeepStrictEqual(same.spec, before.spec) ? same : make(before.metadata.generation + 1);
}
