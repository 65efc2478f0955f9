/** A VirtualMachineMemory from what `kubectl get -o json` or `-o yaml` prints. Loaded only when needed (see plan-yaml.ts). */
import { parse } from 'yaml';
import { decodeVirtualMachineMemory } from '../../api/v1alpha1/decode.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { fail, type Result } from '../../memory/result.ts';

/** JSON is YAML, too. */
export function readResource(text: string): Result<VirtualMachineMemory, string> {
  let object: unknown;
  try {
    object = parse(text);
  } catch (error) {
    return fail(`is neither JSON nor YAML: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
  const kind: unknown = typeof object === 'object' && object !== null && 'kind' in object ? object.kind : undefined;
  if (kind !== 'VirtualMachineMemory') {
    const what = typeof kind === 'string' ? `a ${kind.slice(0, 64)}` : 'no object of Kubernetes';
    return fail(`is ${what}, and not a VirtualMachineMemory ('kubectl get vmmem NAME -o yaml')`);
  }
  return decodeVirtualMachineMemory(object);
}
