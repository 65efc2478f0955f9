/**
 * What must hold at the moment of a change, judged from an observation made under the domain's lock: who asks, whether
 * the domain is as he saw it, and whether it may be changed in that way; in this order, wherever it is judged. Pure. The
 * agent and the simulated host call these, so that the two can't disagree.
 */
import { bytes, MiB } from '../../memory/bytes.ts';
import { isSameModule } from '../../memory/module.ts';
import type { Claim, Replacement } from '../../memory/operation-state.ts';
import { formatMeasured, formatNeeded, formatQuantity } from '../../memory/quantity.ts';
import { type HostAnswer, hostError, type HostError, type HostErrorCode } from '../errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import type {
  ClaimRequest,
  DomainObservation,
  MemoryLayout,
  ObservedModule,
  PersistRequest,
  PlugRequest,
  ReleaseRequest,
  UnplugRequest,
} from '../port.ts';
import { isActiveState } from './boot.ts';
import { qemuOverhead } from './capacity.ts';
import { judgeClaim } from './claim.ts';
import { keptReplacement } from './replacement.ts';
import { takenOfMaximum, totalOf } from './total.ts';
import { costOf } from './uptake.ts';

/** QEMU: "backend memory size must be multiple of 0x200000" (facts-libvirt, section 2). */
const dimmUnit = 2 * MiB;

const refuse = (code: HostErrorCode, message: string) => fail(hostError(code, message));

/** What must stand in the domain's metadata before anything is changed. */
export type Admitted = { readonly claim: Claim; readonly replacement: Replacement | null };

/** Who may change the domain at all, and from what he saw: nothing is said of its memory to anybody else. */
function admitChange(observation: DomainObservation, revision: string, request: ClaimRequest): HostAnswer<Admitted> {
  const claim = judgeClaim(observation.claim, observation.ownerNamespace, request);
  if (!claim.ok) return claim;
  const stale = judgeRevision(observation, revision);
  if (stale !== null) return fail(stale);
  return succeed({ claim: claim.value, replacement: keptReplacement(observation, claim.value) });
}

/** {@link admitChange}, and the module may be plugged as far as the domain goes; the host's memory is capacity.ts. */
export function admitPlug(
  observation: DomainObservation,
  revision: string,
  request: PlugRequest,
): HostAnswer<Admitted> {
  const admitted = admitChange(observation, revision, request);
  if (!admitted.ok) return admitted;
  const judged = judgePlug(observation, request);
  return judged.ok ? admitted : judged;
}

/**
 * {@link admitChange}, and the module may leave.
 * @param by `layout`: whatever the guest has; `guest`: and it keeps `minUsableAfter` by its last report, too
 */
export function admitUnplug(
  observation: DomainObservation,
  revision: string,
  request: UnplugRequest,
  by: 'layout' | 'guest',
): HostAnswer<Admitted & { readonly module: ObservedModule }> {
  const admitted = admitChange(observation, revision, request);
  if (!admitted.ok) return admitted;
  const judged = by === 'layout' ? judgeLeaving(observation, request.slot) : judgeByReport(observation, request);
  return judged.ok ? succeed({ ...admitted.value, module: judged.value }) : judged;
}

/**
 * {@link admitChange}, and what the VM has now is what a start is to give: no module is on its way out. Whether the stored
 * definition takes it is stored.ts.
 */
export function admitPersist(
  observation: DomainObservation,
  revision: string,
  request: PersistRequest,
): HostAnswer<Admitted> {
  const admitted = admitChange(observation, revision, request);
  if (!admitted.ok) return admitted;
  const changeable = judgeChangeable(observation);
  if (!changeable.ok) return changeable;
  const leaving = changeable.value.modules.find(({ state }) => state === 'Leaving');
  if (leaving === undefined) return admitted;
  return refuse('unplug-unsettled', `Module ${leaving.alias} in slot ${leaving.slot} is still leaving`);
}

/** The claim may be given up: by who holds it, and as often as he likes. */
export function admitRelease(
  observation: DomainObservation,
  revision: string,
  request: ReleaseRequest,
): HostAnswer<null> {
  const claim = judgeClaim(observation.claim, observation.ownerNamespace, request);
  if (!claim.ok) return claim;
  const stale = judgeRevision(observation, revision);
  if (stale !== null) return fail(stale);
  if (observation.layout === null) return refuse('not-running', `VM ${observation.name} is not running`);
  if (observation.migrating) return refuse('busy', `VM ${observation.name} is migrating; retry when it has arrived`);
  return succeed(null);
}

/** The domain must still be as it was when the change was planned. */
function judgeRevision(observation: DomainObservation, revision: string): HostError | null {
  if (observation.revision === revision) return null;
  return hostError('stale-revision', `VM ${observation.name} has changed since it was observed; observe it again`);
}

/** A running domain that may be changed now, with its memory. */
function judgeChangeable(observation: DomainObservation): HostAnswer<MemoryLayout> {
  if (observation.layout === null || !isActiveState(observation.state)) {
    return refuse('not-running', `VM ${observation.name} is not running (${observation.state})`);
  }
  if (observation.migrating) return refuse('busy', `VM ${observation.name} is migrating; retry when it has arrived`);
  if (observation.booting) {
    return refuse('busy', `The guest of VM ${observation.name} is still booting; retry when it reports its memory`);
  }
  return succeed(observation.layout);
}

/** Whether the module may be plugged as far as the domain is concerned; the host's memory is {@link judgeHostMemory}. */
export function judgePlug(observation: DomainObservation, request: PlugRequest): HostAnswer<MemoryLayout> {
  const changeable = judgeChangeable(observation);
  if (!changeable.ok) return changeable;
  const layout = changeable.value;
  if (layout.maxMemory === null || layout.hotplugProblem !== null) {
    return refuse('hotplug-unsupported', layout.hotplugProblem ?? 'The domain has no <maxMemory>');
  }
  if (request.slot >= layout.slots.total) {
    return refuse('rejected', `Slot ${request.slot} does not exist: the domain has ${layout.slots.total} slots`);
  }
  if (
    layout.modules.some((module) => module.slot === request.slot) ||
    layout.slots.usedByOthers.includes(request.slot)
  ) {
    return refuse('rejected', `Slot ${request.slot} is already in use`);
  }
  if (layout.slots.resting.includes(request.slot)) {
    return refuse('busy', `Slot ${request.slot} was emptied a moment ago and cannot be reused yet`);
  }
  if (!layout.boot.some((node) => node.node === request.node)) {
    return refuse('rejected', `The guest has no NUMA node ${request.node}`);
  }
  if (request.size === 0 || request.size % dimmUnit !== 0) {
    return refuse('rejected', `A module of ${formatQuantity(request.size)} is no positive multiple of 2Mi`);
  }
  if (takenOfMaximum(layout) + request.size > layout.maxMemory) {
    return refuse(
      'rejected',
      `A module of ${formatQuantity(request.size)} would exceed the VM's maximum of ${formatQuantity(layout.maxMemory)}`,
    );
  }
  const limit = judgeHardLimit(layout, request);
  return limit === null ? changeable : fail(limit);
}

/**
 * Past the limit of its control group QEMU is ended, and the guest with it. Huge pages aren't charged there; but where a
 * device has them pinned the same limit is that of locked memory, and QEMU ends itself when it can't pin a module (`hw_error`
 * in vfio_listener_region_add, hw/vfio/common.c).
 */
function judgeHardLimit(layout: MemoryLayout, { size, node, pageSize }: PlugRequest): HostError | null {
  const { hardLimit, pinned, backings } = layout;
  const own = backings.find(({ nodes }) => nodes.includes(node))?.pageSize ?? null;
  if (hardLimit === null || (!pinned && (pageSize ?? own) !== null)) return null;
  if (totalOf(layout) + size + qemuOverhead(hardLimit) <= hardLimit) return null;
  return hostError(
    'rejected',
    `A module of ${formatQuantity(size)} would exceed the hard_limit of ${formatQuantity(hardLimit)} in the domain's <memtune>`,
  );
}

/** Whether the module may leave as far as the layout goes: at most one unplug is unsettled at a time (I3). */
function judgeLeaving(observation: DomainObservation, slot: number): HostAnswer<ObservedModule> {
  const changeable = judgeChangeable(observation);
  if (!changeable.ok) return changeable;
  const { modules } = changeable.value;
  const module = modules.find((candidate) => candidate.slot === slot);
  if (module === undefined) return refuse('no-such-module', `There is no memory module in slot ${slot}`);

  const leaving = modules.find((other) => other.state === 'Leaving' && !isSameModule(other, module));
  if (leaving === undefined) return succeed(module);
  return refuse(
    'unplug-unsettled',
    `Module ${leaving.alias} in slot ${leaving.slot} is still leaving; one module may leave at a time`,
  );
}

/** Why nobody can say what the guest has: it never reported, or it is late. */
export function silenceError({ guest, name, observedAtMs }: DomainObservation): HostError {
  if (guest?.ofThisBoot !== true) {
    return hostError(
      'guest-memory-unknown',
      `The guest of VM ${name} has not reported its memory since it booted; it needs a virtio memory balloon with its driver loaded`,
    );
  }
  const silentS = Math.max(0, Math.round((observedAtMs - guest.reportedAtMs) / 1000));
  return hostError(
    'guest-late',
    `The guest of VM ${name} does not answer; it last reported its memory ${silentS} s ago`,
  );
}

/**
 * Whether the guest may be asked for the module: {@link judgeLeaving}, and the guest keeps at least `minUsableAfter` by
 * what it reports (I10). How new that report is decides how safe the guest is: see the agent's questions.
 */
export function judgeByReport(observation: DomainObservation, request: UnplugRequest): HostAnswer<ObservedModule> {
  const leaving = judgeLeaving(observation, request.slot);
  if (!leaving.ok || request.minUsableAfter === undefined) return leaving;
  const module = leaving.value;
  const { guest } = observation;
  if (guest?.fresh !== true) return fail(silenceError(observation));
  const cost = costOf(module.size, guest.takenOfModules);
  if (guest.usable - cost < request.minUsableAfter) {
    const taken = cost < module.size ? `, at most ${formatQuantity(bytes(cost))} of which it has taken` : '';
    return refuse(
      'guest-memory-in-use',
      `The guest can spare ${formatMeasured(guest.usable)}; without ${module.alias} (${formatQuantity(module.size)}${taken}) ` +
        `it would have less than the ${formatNeeded(request.minUsableAfter)} that it must keep`,
    );
  }
  return leaving;
}
