/** What a preview is told, by arguments or by a line of JSON, and the planner's request that it becomes. */
import { type Bytes, bytes, sumBytes } from '../memory/bytes.ts';
import { aliasOfSlot } from '../memory/module.ts';
import { formatQuantity } from '../memory/quantity.ts';
import { counted } from '../memory/lines.ts';
import { defaultGranularity } from '../memory/granularity.ts';
import type { PlannerModule, PlannerObservation, PlannerPolicy, PlanRequest } from '../planner/types.ts';
import { fail, type Result, succeed } from '../memory/result.ts';

export type ModuleInput = { readonly size: Bytes } & {
  readonly [K in Exclude<keyof PlannerModule, 'size'>]?: PlannerModule[K] | undefined;
};

export type PreviewInput = {
  readonly memory: Bytes;
  /** By guest NUMA node. */
  readonly boot: readonly Bytes[];
  readonly modules: readonly ModuleInput[];
  /** undefined: 16, or as many as there are modules. */
  readonly slots: number | undefined;
  readonly slotsUsed: readonly number[];
  readonly slotsResting: readonly number[];
  /** What of `otherBytes` counts in the guest's total. */
  readonly otherTotal: Bytes;
  /** undefined: huge pages only. */
  readonly preallocated: boolean | undefined;
  /** undefined: that of an x86-64 guest. */
  readonly granularity: Bytes | undefined;
  readonly policy: PlannerPolicy;
} & Pick<
  PlannerObservation,
  'maxMemory' | 'otherBytes' | 'pageSize' | 'hostFree' | 'hugepagesFree' | 'booting' | 'cordoned' | 'guest'
>;

/** What nobody said. */
export const previewDefaults = {
  slots: undefined,
  slotsUsed: [],
  slotsResting: [],
  granularity: undefined,
  maxMemory: 'unlimited',
  otherBytes: 0 as Bytes,
  otherTotal: 0 as Bytes,
  preallocated: undefined,
  pageSize: null,
  hostFree: null,
  hugepagesFree: null,
  booting: false,
  cordoned: false,
  guest: null,
} as const satisfies Partial<PreviewInput>;

const defaultSlots = 16;

/** What is wrong with a field of the input. */
export type PreviewInputError = { readonly field: keyof PreviewInput; readonly problem: string };

/** The request for a preview. What the planner itself checks is left to it. */
export function buildRequest(input: PreviewInput): Result<PlanRequest, PreviewInputError> {
  const { memory, boot, modules, policy, slotsUsed, slotsResting, maxMemory, otherBytes } = input;
  const slots = input.slots ?? Math.max(defaultSlots, modules.length);
  if (modules.length > slots) {
    const problem = `${counted(modules.length, 'module')} do not fit into ${counted(slots, 'slot')}`;
    return fail({ field: 'slots', problem });
  }
  const bootAndOthers = [...boot, otherBytes].reduce((sum: number, size) => sum + size, 0);
  const total = modules.reduce((sum, { size }) => sum + size, bootAndOthers);
  if (!Number.isSafeInteger(total)) {
    const field = Number.isSafeInteger(bootAndOthers) ? 'modules' : 'boot';
    return fail({ field, problem: 'all memory together is more than 2^53-1 bytes' });
  }
  if (typeof maxMemory === 'number' && total > maxMemory) {
    const problem = `${formatQuantity(maxMemory)} is less than the ${formatQuantity(total as Bytes)} that are there`;
    return fail({ field: 'maxMemory', problem });
  }
  const { pageSize, preallocated, otherTotal, hostFree, hugepagesFree, booting, cordoned, guest } = input;
  const granularity = input.granularity ?? defaultGranularity('x86_64', sumBytes(boot));
  const observation: PlannerObservation = {
    boot: boot.map((size, node) => ({ node, size })),
    modules: placeInputs(modules, sumBytes(boot), slotsUsed),
    slots: { total: slots, usedByOthers: slotsUsed, resting: slotsResting },
    ...(preallocated === undefined ? {} : { preallocated }),
    ...{ otherBytes, otherTotal, maxMemory, booting, cordoned, granularity, pageSize, hostFree, hugepagesFree, guest },
  };
  return succeed({ desired: memory, observation, policy });
}

/** Modules that don't say otherwise take the slots from 0 up and ascending addresses. */
function placeInputs(inputs: readonly ModuleInput[], boot: Bytes, slotsUsed: readonly number[]): PlannerModule[] {
  const taken = new Set([...slotsUsed, ...inputs.flatMap(({ slot }) => slot ?? [])]);
  let next = 0;
  const lowestSlot = (): number => {
    while (taken.has(next)) next++;
    return next++;
  };
  let address: number = boot;
  return inputs.map((input): PlannerModule => {
    const slot = input.slot ?? lowestSlot();
    const base = input.base ?? bytes(address);
    address += input.size;
    return {
      slot,
      base,
      alias: input.alias ?? aliasOfSlot(slot),
      node: input.node ?? 0,
      size: input.size,
      state: input.state ?? 'Plugged',
      refusals: input.refusals ?? 0,
      quarantined: input.quarantined ?? false,
      retryAfter: input.retryAfter ?? null,
    };
  });
}
