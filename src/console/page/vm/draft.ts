/** The size that the thumb stands on, and what is planned for it. */
import type { Bytes } from '../../../memory/bytes.ts';
import type { Result } from '../../../memory/result.ts';
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { parseQuantity } from '../../../memory/quantity.ts';
import type { LivePlan } from '../../../preview/live-plan.ts';
import { type Sizes, sizesOf } from '../model/sizes.ts';

/** Of the newest observation of each object: a plan is worked out once. */
const known = new WeakMap<VirtualMachineMemory, Result<Sizes, string>>();

export function sizesFor(resource: VirtualMachineMemory): Result<Sizes, string> {
  const found = known.get(resource) ?? sizesOf(resource);
  known.set(resource, found);
  return found;
}

/** What the spec wants where that is a size, else what the VM has. */
export function restingPlace({ spec }: VirtualMachineMemory, { current }: Sizes): Bytes {
  const wanted = spec.memory === undefined ? null : parseQuantity(String(spec.memory));
  return wanted?.ok === true ? wanted.value : current;
}

/** Where the thumb stands: on what was chosen as far as that can still be had, else where it rests. */
export function placeOf(resource: VirtualMachineMemory, sizes: Sizes, chosen: Bytes | null): Bytes {
  return chosen === null ? restingPlace(resource, sizes) : sizes.snap(chosen);
}

export const planAt = (sizes: Sizes, size: Bytes): LivePlan | null => {
  const planned = sizes.planFor(size);
  return planned.ok ? planned.value : null;
};
