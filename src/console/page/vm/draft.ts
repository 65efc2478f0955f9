/** The size that the thumb stands on, and what is planned for it. */
import type { Bytes } from '../../../memory/bytes.ts';
import type { Result } from '../../../memory/result.ts';
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import { parseQuantity } from '../../../memory/quantity.ts';
import type { LivePlan } from '../../../preview/live-plan.ts';
import { type Sizes, sizesOf } from '../model/sizes.ts';
import type { OtherWay } from '../model/offers.ts';
import type { ShrinkPolicy } from '../../../memory/policies.ts';

/** Of the newest observation of each object: a plan is worked out once. */
const known = new WeakMap<VirtualMachineMemory, Map<ShrinkPolicy | null, Result<Sizes, string>>>();

/** What its spec says, or its default. */
export const ownPolicy = ({ spec }: VirtualMachineMemory): ShrinkPolicy => spec.shrinkPolicy ?? 'Exact';

/** @param way another policy than its own; null: its own */
export function sizesFor(resource: VirtualMachineMemory, way: ShrinkPolicy | null = null): Result<Sizes, string> {
  const ofResource = known.get(resource) ?? new Map<ShrinkPolicy | null, Result<Sizes, string>>();
  known.set(resource, ofResource);
  const found = ofResource.get(way) ?? sizesOf(resource, way ?? undefined);
  ofResource.set(way, found);
  return found;
}

/** The sizes by each other policy that reaches more than exact sets. @param way the one that is looked at */
export const otherWays = (resource: VirtualMachineMemory, way: ShrinkPolicy | null): readonly OtherWay[] =>
  (['Replace', 'Nearest'] as const).flatMap((shrink) => {
    const read = shrink === (way ?? ownPolicy(resource)) ? null : sizesFor(resource, shrink);
    return read?.ok === true ? [{ shrink, sizes: read.value }] : [];
  });

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
