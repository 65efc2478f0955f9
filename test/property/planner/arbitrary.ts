/** Requests of every kind, small enough for brute force. */
import fc from 'fast-check';
import { type Bytes, MiB } from '../../../src/memory/bytes.ts';
import type { PlannerModule, PlannerObservation, PlannerPolicy, PlanRequest } from '../../../src/planner/types.ts';

const block = 128 * MiB;

/** Mostly aligned sizes with many ties, some odd ones. */
const size = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 12 }).map((blocks) => blocks * block) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2000 }).map((count) => count * MiB) },
);

type Draft = Pick<PlannerModule, 'refusals' | 'quarantined' | 'state'> & { node: number; size: number; base: number };

const draft = (nodes: number): fc.Arbitrary<Draft> =>
  fc.record({
    size,
    node: fc.integer({ min: 0, max: nodes - 1 }),
    base: fc.integer({ min: 32, max: 64 }).map((blocks) => blocks * block),
    refusals: fc.oneof(
      { weight: 3, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) },
    ),
    quarantined: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    state: fc.oneof(
      { weight: 12, arbitrary: fc.constant('Plugged' as const) },
      { weight: 1, arbitrary: fc.constant('Leaving' as const) },
    ),
  });

const toModule = (module: Draft, slot: number): PlannerModule => ({
  ...module,
  slot,
  // Aliases don't sort like slots.
  alias: `ua-${(slot * 7) % 16}`,
  size: module.size as Bytes,
  base: module.base as Bytes,
  retryAfter: module.quarantined ? 'later' : null,
});

const optional = <T, N>(value: fc.Arbitrary<T>, otherwise: N): fc.Arbitrary<T | N> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: value });

const blocks = (max: number): fc.Arbitrary<Bytes> =>
  fc.integer({ min: 0, max }).map((count) => (count * block) as Bytes);

export type Limits = { readonly maxModules: number };

export const observation = ({ maxModules }: Limits): fc.Arbitrary<PlannerObservation> =>
  fc
    .integer({ min: 1, max: 3 })
    .chain((nodes) =>
      fc.record({
        boot: fc
          .array(fc.integer({ min: 1, max: 16 }), { minLength: nodes, maxLength: nodes })
          .map((sizes) => sizes.map((count, node) => ({ node, size: (count * block) as Bytes }))),
        // Sizes with a common factor leave gaps between the sums.
        modules: fc
          .tuple(fc.array(draft(nodes), { maxLength: maxModules }), fc.constantFrom(1, 1, 2, 4))
          .map(([drafts, factor]) =>
            drafts.map((module, slot) => toModule({ ...module, size: module.size * factor }, slot)),
          ),
        spareSlots: fc.integer({ min: 0, max: 6 }),
        restingSlots: fc.integer({ min: 0, max: 2 }),
        otherSlots: fc.integer({ min: 0, max: 2 }),
        maxMemory: optional(fc.oneof(blocks(160), fc.constant('unsupported' as const)), 'unlimited' as const),
        otherBytes: optional(blocks(8), 0 as Bytes),
        cordoned: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
        booting: fc.oneof({ weight: 19, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
        pageSize: optional(fc.constantFrom(2 * MiB, 256 * MiB, 1024 * MiB) as fc.Arbitrary<Bytes>, null),
        hostFree: optional(blocks(32), null),
        namespaceFree: optional(blocks(32), null),
        hugepagesFree: optional(blocks(12), null),
        guest: optional(
          fc.record(
            {
              usable: fc.integer({ min: 0, max: 6000 }).map((count) => (count * MiB) as Bytes),
              total: fc.integer({ min: 0, max: 20000 }).map((count) => (count * MiB) as Bytes),
              fresh: fc.boolean(),
              takenOfModules: blocks(32),
            },
            { requiredKeys: ['usable', 'total', 'fresh'] },
          ),
          null,
        ),
      }),
    )
    .map(({ spareSlots, restingSlots, otherSlots, ...rest }): PlannerObservation => {
      const used = rest.modules.length;
      return {
        ...rest,
        granularity: block as Bytes,
        slots: {
          total: used + otherSlots + restingSlots + spareSlots,
          usedByOthers: Array.from({ length: otherSlots }, (_, index) => used + index),
          resting: Array.from({ length: restingSlots }, (_, index) => used + otherSlots + index),
        },
      };
    });

const policy: fc.Arbitrary<PlannerPolicy> = fc.record({
  shrink: fc.constantFrom('Exact', 'Nearest', 'Replace'),
  grow: fc.constantFrom('Whole', 'Divisible'),
  guestSafety: fc.constantFrom('Required', 'BestEffort', 'Off'),
});

/** A request whose wanted size is mostly aligned with what is there. */
export const request = (limits: Limits = { maxModules: 9 }): fc.Arbitrary<PlanRequest> =>
  fc
    .record({
      observation: observation(limits),
      policy,
      offset: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: -40, max: 60 }).map((count) => count * block) },
        { weight: 1, arbitrary: fc.integer({ min: -6000, max: 6000 }).map((count) => count * MiB) },
        { weight: 2, arbitrary: fc.constant(0) },
      ),
      anchor: fc.constantFrom('boot', 'current'),
    })
    .map(({ observation, policy, offset, anchor }) => {
      const boot = observation.boot.reduce((sum, node) => sum + node.size, 0);
      const plugged = observation.modules.reduce((sum, module) => sum + module.size, 0);
      const from = anchor === 'boot' ? boot + Math.floor(plugged / 2 / block) * block : boot + plugged;
      return { observation, policy, desired: Math.max(0, from + offset) as Bytes };
    });
