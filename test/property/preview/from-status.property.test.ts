/** The plan that tools make from an object alone is the one that its controller made. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeVirtualMachineMemory } from '../../../src/api/v1alpha1/decode.ts';
import { preciseTimestamp } from '../../../src/api/v1alpha1/conditions.ts';
import { parseSpec } from '../../../src/api/v1alpha1/spec.ts';
import type {
  ModuleStatus,
  VirtualMachineMemory,
  VirtualMachineMemorySpec,
} from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { judge } from '../../../src/controllers/memory/phases/plan.ts';
import { computeRooms } from '../../../src/controllers/memory/planning.ts';
import { formatBase } from '../../../src/controllers/memory/refusals.ts';
import { computeMachine } from '../../../src/controllers/memory/status.ts';
import { computeCurrent } from '../../../src/controllers/memory/total.ts';
import type { Judgement, Located } from '../../../src/controllers/memory/types.ts';
import type { HostFacts, ObservedModule } from '../../../src/host/port.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { type Bytes, bytes, gib, GiB, mib, MiB } from '../../../src/memory/bytes.ts';
import { parseQuantity } from '../../../src/memory/quantity.ts';
import { computePlan } from '../../../src/planner/plan.ts';
import type { Backing, Plan, PlannerModule, PlanRequest } from '../../../src/planner/types.ts';
import { applyStep } from '../../../src/planner/simulate.ts';
import { requestFromStatus } from '../../../src/preview/from-status.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { request as anyRequest } from '../planner/arbitrary.ts';

const nowMs = Date.parse('2026-01-01T00:00:00.250Z');
const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

/** What the request doesn't say of the VM, its host and its resource. */
const surroundings = fc.record({
  /** Of the host, beyond what is promised; not whole GiB. */
  available: fc.option(
    fc.integer({ min: 0, max: 24 * 1024 }).map((count) => bytes(count * MiB)),
    { nil: null },
  ),
  freePages: fc.integer({ min: 0, max: 4096 }),
  /** What stands behind the guest's nodes, in turn; empty: an older agent, which knows of one page size for all. */
  behind: fc.oneof<fc.Arbitrary<Behind>[]>(
    fc.constant([]),
    fc.array(
      fc.record({
        pageSize: fc.constantFrom(null, 2 * MiB, 256 * MiB, 1024 * MiB) as fc.Arbitrary<Bytes | null>,
        preallocated: fc.boolean(),
      }),
      { minLength: 2, maxLength: 2 },
    ),
  ),
  silentMs: fc.constantFrom(0, 15_500, 75_001),
  ofThisBoot: fc.boolean(),
  /** Where the page size and the granularity stand. */
  pageSizeIn: fc.constantFrom('vm', 'spec'),
  granularityIn: fc.constantFrom('guest', 'default', 'spec'),
  /** A replacement that was begun with the module in this slot. */
  begunIn: fc.option(fc.nat(2), { nil: null }),
  begunFor: fc.constantFrom(1, 1, 1, 2),
  calledOff: fc.nat(3).map((draw) => draw === 0),
  /** Rare among all requests. */
  mayReplace: fc.nat(3).map((draw) => draw === 0),
  /** Of nobody's VM: what it has counts from its first change on. */
  namespaceLimit: fc.option(
    fc.integer({ min: 0, max: 512 }).map((count) => bytes(count * 64 * MiB)),
    { nil: null },
  ),
  wants: fc.boolean(),
});
type Behind = readonly Pick<Backing, 'pageSize' | 'preallocated'>[];
type Surroundings = typeof surroundings extends fc.Arbitrary<infer T> ? T : never;

const clock = new ManualClock();
const host = createSimulatedHost({ clock, id: 'hv', domains: [{ uuid, name: 'db' }] });
const template = await host.observe(uuid);
if (!template.ok || template.value.layout === null) throw new Error('no template');
const [observed, blank] = [template.value, template.value.layout];

const observedModule = ({ slot, base, alias, node, size, state }: PlannerModule): ObservedModule => ({
  ...{ slot, base, alias, node, size, state },
  mark: state === 'Leaving' ? { generation: 1, firstAskedAtMs: nowMs, lastAskedAtMs: nowMs, attempts: 1 } : null,
  refusedAtMs: null,
});

/** A module as the status before had it, with its refusals. */
const before = ({ slot, base, alias, node, size, refusals, quarantined }: PlannerModule): ModuleStatus => ({
  ...{ slot, alias, node, size: String(size), base: formatBase(base), state: 'Plugged' },
  ...(refusals > 0 || quarantined
    ? { refusals: Math.max(1, refusals), refusedAt: preciseTimestamp(nowMs - (quarantined ? 1_001 : 36_000_000)) }
    : {}),
});

function locate({ observation }: PlanRequest, around: Surroundings): Located {
  const { maxMemory, pageSize, guest } = observation;
  const { available, freePages, behind, silentMs, ofThisBoot } = around;
  const total = gib(1024);
  const facts: HostFacts = {
    ...{ agentVersion: '1', libvirtVersion: '1', hypervisorVersion: '1' },
    memory: { total, available: available ?? total, committed: bytes(0) },
    nodes: [
      {
        ...{ id: 0, total, available: available ?? total },
        hugepages: [...new Set([pageSize ?? bytes(2 * MiB), ...behind.flatMap((one) => one.pageSize ?? [])])].map(
          (size) => ({ pageSize: size, total: freePages, free: freePages }),
        ),
      },
    ],
    hugepagePools: [],
    ...{ virtualMachines: 1, virtualMachinesWithoutOwner: 0, namespaces: [] },
  };
  const layout = {
    ...blank,
    boot: observation.boot,
    modules: observation.modules.map(observedModule),
    slots: { unnumbered: 0, ...observation.slots },
    backings: observation.boot.flatMap(({ node }, index) => {
      const own = behind[index % 2];
      return own === undefined ? [] : [{ nodes: [node], hostNodes: null, ...own }];
    }),
    hardLimit: around.begunFor === 2 ? gib(6) : null,
    pinned: around.begunIn === 1,
    sharedWith: around.begunIn === 1 ? { backend: 'vhost-user', left: 2 } : null,
    otherBytes: observation.otherBytes,
    hotplugProblem: around.begunFor === 2 ? 'a device lies in the way' : null,
    maxMemory: maxMemory === 'unlimited' ? gib(512) : maxMemory === 'unsupported' ? null : maxMemory,
    pageSize: around.pageSizeIn === 'vm' ? pageSize : null,
    granularity: around.granularityIn === 'guest' ? observation.granularity : null,
  };
  return {
    hostName: 'hv',
    host,
    tenant: { clusterId: 'c', namespace: 't' },
    limits: {
      memoryReserve: bytes(0),
      memoryOvercommit: 1,
      namespaceLimit: around.namespaceLimit,
      maxConcurrentOperations: 4,
      cordoned: observation.cordoned,
    },
    observation: {
      ...observed,
      layout,
      guest:
        guest === null
          ? null
          : {
              ...{ total: guest.total, usable: guest.usable, free: guest.usable, reportedAtMs: nowMs - silentMs },
              ...{ fresh: guest.fresh && ofThisBoot, ofThisBoot, takenOfModules: guest.takenOfModules ?? null },
              totalWithoutModules: null,
            },
      booting: observation.booting,
      replacement: around.begunIn === null ? null : { slot: around.begunIn, generation: around.begunFor },
      observedAtMs: nowMs,
    },
    layout,
    facts: available === null ? null : facts,
    replacesUid: null,
  };
}

const specOf = ({ desired, observation, policy }: PlanRequest, around: Surroundings): VirtualMachineMemorySpec => ({
  virtualMachine: { uuid },
  ...(around.wants ? { memory: desired } : {}),
  rounding: around.calledOff ? 'Up' : 'Exact',
  ...{ shrinkPolicy: policy.shrink, growPolicy: policy.grow, guestSafety: policy.guestSafety },
  ...(around.granularityIn === 'spec' ? { granularity: observation.granularity } : {}),
  ...(around.pageSizeIn === 'spec' && observation.pageSize !== null ? { pageSize: observation.pageSize } : {}),
});

/** The object with the status that a controller gives it, as an API server hands it out. */
function objectOf(spec: VirtualMachineMemorySpec, judgement: Judgement): VirtualMachineMemory {
  const status = computeMachine({
    ...{
      previous: {},
      judgement,
      problem: null,
      lastResize: undefined,
      drift: undefined,
      release: undefined,
      notOnlined: undefined,
    },
    target: judgement.desired.memory,
  });
  const metadata = { name: 'db', namespace: 't', uid: 'u', resourceVersion: '1', generation: 1 };
  const decoded = decodeVirtualMachineMemory(JSON.parse(JSON.stringify({ metadata, spec, status })));
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}

const planOf = (request: PlanRequest): Plan => {
  const result = computePlan(request);
  if (!result.ok) throw new Error(`${result.error.field}: ${result.error.problem}`);
  return result.value;
};
const withoutHost = ({ hostFree: _, hugepagesFree: __, ...own }: Backing): object => own;
const told = ({ decision, steps, reason }: Plan) => ({ decision, steps, reason });

function judged(
  request: PlanRequest,
  around: Surroundings,
): { object: VirtualMachineMemory; judgement: Judgement } | null {
  const spec = specOf(request, around);
  const desired = parseSpec(spec);
  if (!desired.ok) throw new Error(desired.error);
  const located = locate(request, around);
  const answer = judge({
    desired: desired.value,
    target: desired.value.memory ?? computeCurrent(located.layout),
    located,
    generation: 1,
    previousModules: request.observation.modules.map(before),
    retryNow: false,
    calledOff: around.calledOff,
    release: null,
  });
  return answer.kind === 'problem' ? null : { object: objectOf(spec, answer.judgement), judgement: answer.judgement };
}

/** 1792Mi of 2Gi, wanted 1920Mi: the limit of its namespace. The host has the 128Mi for that, and no more. */
const asMuchAsItsNamespaceMayHave: PlanRequest = {
  observation: {
    ...{ boot: [{ node: 0, size: mib(1792) }], modules: [], maxMemory: gib(2), otherBytes: bytes(0) },
    ...{ cordoned: false, booting: false, pageSize: null, hostFree: null, hugepagesFree: null, guest: null },
    ...{ granularity: mib(128), slots: { total: 1, usedByOthers: [], resting: [] } },
  },
  policy: { shrink: 'Exact', grow: 'Whole', guestSafety: 'Required' },
  desired: mib(1920),
};
const hostWithAsMuch = { available: mib(128), namespaceLimit: mib(1920) };
const plain: Surroundings = {
  ...{ available: null, freePages: 0, behind: [], silentMs: 0, ofThisBoot: false, pageSizeIn: 'vm' },
  ...{ granularityIn: 'guest', begunIn: null, begunFor: 1, calledOff: false, mayReplace: false },
  ...{ namespaceLimit: null, wants: true },
};

it('the plan made from spec and status is the plan that the controller made, the host aside', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(anyRequest(), surroundings, (drawn, around) => {
      const { policy } = drawn;
      const request = around.mayReplace ? { ...drawn, policy: { ...policy, shrink: 'Replace' as const } } : drawn;
      const made = judged(request, around);
      if (made === null) return;
      const { object, judgement } = made;
      const read = requestFromStatus(object);
      if (!read.ok) throw new Error(read.error);
      const { hostFree, hugepagesFree, namespaceFree, backings = [], ...fromStatus } = read.value.observation;
      const {
        hostFree: free,
        hugepagesFree: pages,
        namespaceFree: left,
        backings: known = [],
        ...others
      } = judgement.seen;
      // Of the namespace's room what this VM could take.
      expect(namespaceFree === null).toBe(left === null);
      expect(namespaceFree ?? 0).toBeLessThanOrEqual(left ?? 0);
      // All but the host is to the byte what the planner was told.
      expect(fromStatus).toEqual(others);
      expect(backings.map(withoutHost)).toEqual(known.map(withoutHost));
      if (new Set(known.map(({ pageSize }) => pageSize)).size > 1) seen.add('two page sizes');
      expect([hostFree, hugepagesFree]).toEqual([backings[0]?.hostFree, backings[0]?.hugepagesFree]);
      expect([free, pages]).toEqual([known[0]?.hostFree, known[0]?.hugepagesFree]);
      // Of the host it is never more than there is, and whole GiB where that is less than the VM could take.
      for (const [index, { hostFree: left, hugepagesFree: inPages }] of known.entries()) {
        const read = backings[index];
        expect([read?.hostFree === null, read?.hugepagesFree === null]).toEqual([left === null, inPages === null]);
        expect(read?.hostFree ?? 0).toBeLessThanOrEqual(left ?? 0);
        expect(read?.hugepagesFree ?? 0).toBeLessThanOrEqual(inPages ?? 0);
      }

      const plan = planOf(read.value);
      seen.add(`${plan.decision} ${object.status?.replacement?.phase ?? ''}`);
      const exact = planOf({ ...read.value, observation: judgement.seen });
      expect(told(exact)).toEqual(told(judgement.plan));
      // What the VM itself could take.
      const ample = {
        ...judgement.seen,
        backings: judgement.seen.backings?.map((backing) => ({ ...backing, hostFree: bytes(2 ** 52) })) ?? [],
      };
      const rooms = computeRooms(ample);
      const isTold = (size: Bytes | null, index: number): boolean => {
        const own = parseQuantity(rooms[index]?.host ?? '');
        return size === null || size % GiB === 0 || (own.ok && size >= own.value);
      };
      const areTold = known.every((one, index) => isTold(one.hostFree, index) && isTold(one.hugepagesFree, index));
      if (areTold) expect(told(plan)).toEqual(told(judgement.plan));
      else if (plan.decision !== judgement.plan.decision) {
        // Where what is told of one node's backing doesn't do, the other's has a step and a largest module of its own.
        const ofAnother = known.length > 1 ? ['Misaligned', 'ExceedsHardLimit', 'SlotsExhausted', 'VMBusy'] : [];
        const reasons = ['InsufficientHostMemory', 'HugepagesUnavailable', ...ofAnother];
        expect(reasons).toContain(plan.reason);
      }
    }),
    // So many that the rarest of the phases below comes up ten times.
    { numRuns: 10_000, examples: [[asMuchAsItsNamespaceMayHave, { ...plain, ...hostWithAsMuch }]] },
  );
  const phases = [
    'noop ',
    'plug ',
    'unplug ',
    'replace ',
    'wait ',
    'blocked ',
    'unplug Unplugging',
    'unplug RollingBack',
    'two page sizes',
  ];
  expect(phases.filter((phase) => !seen.has(phase))).toEqual([]);
}, 120_000);

it('the plan made from spec and status comes to rest in its own result, whatever stands behind the nodes', () => {
  let mixed = 0;
  fc.assert(
    fc.property(anyRequest(), surroundings, (request, around) => {
      const made = judged(request, { ...around, begunIn: null });
      fc.pre(made !== null && request.observation.modules.every(({ state }) => state === 'Plugged'));
      const read = requestFromStatus(made.object);
      if (!read.ok) throw new Error(read.error);
      const plan = planOf(read.value);
      fc.pre(plan.decision !== 'blocked' && plan.decision !== 'wait');
      const sizes = new Set(read.value.observation.backings?.map(({ pageSize }) => pageSize));
      if (sizes.size > 1 && plan.steps.length > 0) mixed += 1;
      const again = planOf({ ...read.value, observation: plan.steps.reduce(applyStep, read.value.observation) });
      expect([again.decision, again.resultMemory]).toEqual(['noop', plan.resultMemory]);
    }),
    { numRuns: 600 },
  );
  expect(mixed).toBeGreaterThan(5);
});
