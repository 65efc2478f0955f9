/** Makes typed resources of what the API server sends; a problem only when nothing can be made of the metadata. */
import { fail, type Result, succeed } from '../../memory/result.ts';
import { lenient, Mismatch, object, type Of, orElse, type Shape, text } from '../../memory/shape.ts';
import { type HypervisorHost, hypervisorHostSpec, hypervisorHostStatus } from './hypervisor-host.ts';
import { apiVersion, namespacedMeta, type ObjectMeta, objectMeta } from './meta.ts';
import {
  type VirtualMachineMemory,
  virtualMachineMemorySpec,
  virtualMachineMemoryStatus,
} from './virtual-machine-memory.ts';

const memoryParts = object({
  metadata: namespacedMeta,
  spec: orElse({ virtualMachine: {} }, virtualMachineMemorySpec),
  status: lenient(virtualMachineMemoryStatus),
});
const hostParts = object({
  metadata: objectMeta,
  spec: orElse({ address: '', allowedNamespaces: { from: 'None' } }, hypervisorHostSpec),
  status: lenient(hypervisorHostStatus),
});
const namespaceParts = object({ metadata: objectMeta });
const named = orElse({ metadata: { name: '(no name)' } }, object({ metadata: object({ name: text() }) }));

function decode<T>(parts: Shape<T>, raw: unknown): Result<T, string> {
  const read = parts.read(raw);
  if (!(read instanceof Mismatch)) return succeed(read);
  const { metadata } = named.read(raw) as Of<typeof named>;
  return fail(`${metadata.name}: metadata without name, uid or resourceVersion`);
}

export function decodeVirtualMachineMemory(raw: unknown): Result<VirtualMachineMemory, string> {
  const read = decode(memoryParts, raw);
  return read.ok ? succeed({ apiVersion, kind: 'VirtualMachineMemory', ...read.value }) : read;
}

export function decodeHypervisorHost(raw: unknown): Result<HypervisorHost, string> {
  const read = decode(hostParts, raw);
  return read.ok ? succeed({ apiVersion, kind: 'HypervisorHost', ...read.value }) : read;
}

/** A Namespace, of which only the labels matter. */
export const decodeNamespace = (raw: unknown): Result<{ readonly metadata: ObjectMeta }, string> =>
  decode(namespaceParts, raw);
