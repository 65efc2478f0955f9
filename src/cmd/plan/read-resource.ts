/** A VirtualMachineMemory from what `kubectl get -o json` or `-o yaml` prints. Loaded only when needed (see plan-yaml.ts). */
import { parse } from 'yaml';
import { decodeVirtualMachineMemory } from '../../api/v1alpha1/decode/resources.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';

type Read =
  { readonly ok: true; readonly value: VirtualMachineMemory } | { readonly ok: false; readonly problem: string };

/** JSON is YAML, too. */
export function readResource(text: string): Read {
  let object: unknown;
  try {
    object = parse(text);
  } catch (error) {
    return { ok: false, problem: `is neither JSON nor YAML: ${(error as Error).message.split('\n')[0] ?? ''}` };
  }
  const kind: unknown = typeof object === 'object' && object !== null && 'kind' in object ? object.kind : undefined;
  if (kind !== 'VirtualMachineMemory') {
    const what = typeof kind === 'string' ? `a ${kind.slice(0, 64)}` : 'no object of Kubernetes';
    return { ok: false, problem: `is ${what}, and not a VirtualMachineMemory ('kubectl get vmmem NAME -o yaml')` };
  }
  return decodeVirtualMachineMemory(object);
}
