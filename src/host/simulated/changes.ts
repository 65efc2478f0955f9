/** Plugging and unplugging on a simulated host: the guards of the real agent, then what a guest would do. */
import { regionsOf } from '../../memory/backing.ts';
import { aliasOfSlot, isSameModule } from '../../memory/module.ts';
import { type HostAnswer, hostError } from '../errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import { chooseBase, explainMisplaced, isTakenAt, regionKey } from '../rules/addresses.ts';
import { admitPlug, admitRelease, admitUnplug, silenceError } from '../rules/admit.ts';
import { judgeHostMemory } from '../rules/capacity.ts';
import { askForModule, leavingMark } from '../rules/marks.ts';
import { judgeNamespaceLimit } from '../rules/namespace-limit.ts';
import { replacementOf } from '../rules/replacement.ts';
import { otherFreeSlots } from '../rules/slots.ts';
import { afterPlug, beforePlug } from '../rules/uptake.ts';
import type {
  DomainObservation,
  HostFacts,
  PlugAnswer,
  PlugRequest,
  ReleaseAnswer,
  ReleaseRequest,
  UnplugAnswer,
  UnplugRequest,
} from '../port.ts';
import { askGuest, followUp, meetDomain, removeModule, type ReportContext, tellReport, uptakeState } from './guest.ts';
import {
  addModule,
  holdingOf,
  regionOf,
  settledMarks,
  type SimulatedDomain,
  type SimulatedModule,
  simulatedTotal,
  type UnplugBehaviour,
} from './model.ts';
import type { SimulatedChange } from './script.ts';

/** What a change needs of the host it happens on. */
export type SimulatedChangeContext = ReportContext & {
  readonly facts: () => HostFacts;
  readonly record: (change: SimulatedChange) => void;
  readonly observe: (domain: SimulatedDomain) => DomainObservation;
  /** Why QEMU fails at every attach; null: it doesn't. */
  readonly attachProblem: () => string | null;
  /** Why no stored definition can be written; null: they can. */
  readonly storeProblem: () => string | null;
  /** A stored definition was written. */
  readonly stored: () => void;
  readonly removalMs: number;
  readonly onlineMs: number;
};

/** Plugs as the agent would. */
export function plugSimulated(
  context: SimulatedChangeContext,
  domain: SimulatedDomain,
  revision: string,
  request: PlugRequest,
): HostAnswer<PlugAnswer> {
  const admitted = admitPlug(context.observe(domain), revision, request);
  if (!admitted.ok) return admitted;
  const pageSize = request.pageSize ?? domain.pageSize;
  const { namespaceLimit: limit, clusterId, namespace } = request;
  const shares = context.facts().namespaces ?? [];
  const bounded =
    limit === undefined
      ? null
      : judgeNamespaceLimit(shares, { clusterId, namespace }, limit, holdingOf(domain), request.size);
  const short = bounded ?? judgeHostMemory(context.facts(), request, pageSize);
  if (short !== null) return fail(short);

  const nowMs = context.clock.now();
  const { claim } = admitted.value;
  const replacement = replacementOf(request, admitted.value.replacement);
  domain.operations = { claim, marks: settledMarks(domain, nowMs), replacement };
  const problem = context.attachProblem() ?? findRegionProblem(domain);
  if (problem !== null) return fail(hostError('hypervisor-failed', problem));
  const slot = takeSlot(context.observe(domain), domain, request);
  if (slot === null) return fail(hostError('hypervisor-failed', `libvirt: slot ${request.slot} is busy (error 1)`));
  if (slot !== request.slot) {
    domain.slotsUsedByOthers = [...domain.slotsUsedByOthers, request.slot];
    domain.operations = { ...domain.operations, replacement: replacementOf({ ...request, slot }, replacement) };
  }

  const { size, node } = request;
  const region = regionOf(domain);
  domain.uptake = beforePlug(domain.uptake, uptakeState(domain, nowMs));
  const onlineAtMs = domain.onlines === 0 ? Infinity : nowMs + context.onlineMs;
  const base = chooseBase(region);
  const module = addModule(domain, { slot, size, node, alias: aliasOfSlot(slot), pageSize, onlineAtMs, base });
  domain.uptake = afterPlug(domain.uptake, module, nowMs);
  domain.modulesChangedAtMs = nowMs;
  recordChange(context, domain, 'plugged', { slot, size });
  context.emit({ kind: 'module-added', uuid: domain.uuid });
  if (!isTakenAt(module.base, region.architecture)) {
    const problem = explainMisplaced(region, module.base);
    domain.misplaced = { region: regionKey(region), problem };
    const marked = askForModule(domain.operations.marks, module, request.generation, nowMs);
    domain.operations = { ...domain.operations, marks: marked };
    removeSimulated(context, domain, module);
    return fail(hostError('hotplug-unsupported', problem));
  }
  followUp(context, domain, onlineAtMs);
  const observation = context.observe(domain);
  return succeed({ done: slot === request.slot, revision: observation.revision, observation });
}

/** QEMU's words where another process has no room for one more region of memory; null: it has. */
const findRegionProblem = (domain: SimulatedDomain): string | null =>
  domain.sharedWith !== null && regionsOf(domain) >= domain.sharedWith.regions
    ? 'libvirt: a used vhost backend has no free memory slots left (error 1)'
    : null;

/** The slot that QEMU takes the module into, the wanted or another one; null: none. */
function takeSlot({ layout }: DomainObservation, domain: SimulatedDomain, wanted: PlugRequest): number | null {
  const others = layout === null ? [] : otherFreeSlots(layout, wanted);
  return [wanted.slot, ...others].find((slot) => !domain.slotsTakenUnseen.includes(slot)) ?? null;
}

/** Asks for a module as the agent would; the guest answers in its own time. */
export function unplugSimulated(
  context: SimulatedChangeContext,
  domain: SimulatedDomain,
  revision: string,
  request: UnplugRequest,
): HostAnswer<UnplugAnswer> {
  const admitted = admitAskedUnplug(context, domain, revision, request);
  if (!admitted.ok) return admitted;
  const { claim, replacement } = admitted.value;
  const module = domain.modules.find((candidate) => isSameModule(candidate, admitted.value.module));
  if (module === undefined) return fail({ code: 'internal-error', message: 'The simulated module vanished' });

  const nowMs = context.clock.now();
  const marks = askForModule(settledMarks(domain, nowMs), module, request.generation, nowMs);
  domain.operations = { claim, marks, replacement };
  recordChange(context, domain, 'asked', module);
  letGuestAnswer(context, domain, module);
  const observation = context.observe(domain);
  return succeed({ revision: observation.revision, observation });
}

/** Gives a claim up as the agent would. */
export function releaseSimulated(
  context: SimulatedChangeContext,
  domain: SimulatedDomain,
  revision: string,
  request: ReleaseRequest,
): HostAnswer<ReleaseAnswer> {
  const admitted = admitRelease(context.observe(domain), revision, request);
  if (!admitted.ok) return admitted;
  domain.operations = { claim: null, replacement: null, marks: settledMarks(domain, context.clock.now()) };
  return succeed({ revision });
}

/** The guards of an unplug, with the guest asked what it has before that is judged. */
function admitAskedUnplug(
  context: SimulatedChangeContext,
  domain: SimulatedDomain,
  revision: string,
  request: UnplugRequest,
): ReturnType<typeof admitUnplug> {
  const observation = context.observe(domain);
  const admitted = admitUnplug(observation, revision, request, 'layout');
  if (!admitted.ok || request.minUsableAfter === undefined) return admitted;
  const isAnswered = askGuest(domain, context.clock.now());
  const judged = admitUnplug(context.observe(domain), revision, request, 'guest');
  return isAnswered || !judged.ok ? judged : fail(silenceError(observation));
}

/** What the guest does about a request for `module`. */
function letGuestAnswer(context: SimulatedChangeContext, domain: SimulatedDomain, module: SimulatedModule): void {
  const behaviour = takeBehaviour(domain, module.slot);
  if (behaviour === 'silent') return;
  const { run } = domain;
  const answer = (): void => {
    if (!context.isHere(domain, run) || !isLeaving(domain, module, context.clock.now())) return;
    // A paused guest answers when it runs again (facts-libvirt, experiment 8).
    if (domain.state === 'Paused') context.clock.after(context.removalMs, answer);
    else if (behaviour === 'accept') removeSimulated(context, domain, module);
    else refuseSimulated(context, domain, module);
  };
  context.clock.after(context.removalMs, answer);
}

/** Takes a domain over from a host that has ended: what only its agent knew is forgotten, what guests do goes on. */
export function meetKept(context: SimulatedChangeContext, domain: SimulatedDomain): void {
  for (const module of domain.modules) module.refusedAtMs = null;
  meetStored(domain);
  domain.uptake = null;
  domain.misplaced = null;
  const nowMs = context.clock.now();
  meetDomain(domain, nowMs);
  // As an agent's looks at every guest do: what it said last may be of before the last plug.
  tellReport(context, domain, nowMs);
  for (const module of domain.modules) if (isLeaving(domain, module, nowMs)) letGuestAnswer(context, domain, module);
}

/** Those of before 0.2 were kept without a stored definition. */
function meetStored(domain: SimulatedDomain): void {
  const { boot, maxMemory, slots } = domain;
  const kept: Partial<SimulatedDomain> = domain;
  domain.stored = kept.stored === undefined ? { boot, maxMemory, slots, modules: [] } : kept.stored;
  domain.saysStored = true;
}

const isLeaving = (domain: SimulatedDomain, module: SimulatedModule, nowMs: number): boolean =>
  leavingMark(settledMarks(domain, nowMs), module) !== undefined;

function takeBehaviour(domain: SimulatedDomain, slot: number): UnplugBehaviour {
  const own = domain.slotBehaviour.get(slot);
  if (own === undefined) return domain.behaviour;
  if (own.times <= 1) domain.slotBehaviour.delete(slot);
  else domain.slotBehaviour.set(slot, { behaviour: own.behaviour, times: own.times - 1 });
  return own.behaviour;
}

/** The guest gave the module up: it is gone, and its mark rests. */
export function removeSimulated(
  context: ReportContext & Pick<SimulatedChangeContext, 'record'>,
  domain: SimulatedDomain,
  module: SimulatedModule,
): void {
  const nowMs = context.clock.now();
  removeModule(domain, module, nowMs);
  domain.operations = { ...domain.operations, marks: settledMarks(domain, nowMs) };
  recordChange(context, domain, 'removed', module);
  context.emit({ kind: 'module-removed', uuid: domain.uuid });
  followUp(context, domain, nowMs);
}

function refuseSimulated(context: SimulatedChangeContext, domain: SimulatedDomain, module: SimulatedModule): void {
  const nowMs = context.clock.now();
  module.refusedAtMs = nowMs;
  domain.operations = { ...domain.operations, marks: settledMarks(domain, nowMs) };
  recordChange(context, domain, 'refused', module);
  context.emit({ kind: 'module-refused', uuid: domain.uuid });
}

/** Writes one line of the host's history. */
export function recordChange(
  context: Pick<SimulatedChangeContext, 'clock' | 'record'>,
  domain: SimulatedDomain,
  what: SimulatedChange['what'],
  module: Pick<SimulatedModule, 'slot' | 'size'>,
): void {
  const { slot, size } = module;
  context.record({ atMs: context.clock.now(), uuid: domain.uuid, what, slot, size, total: simulatedTotal(domain) });
}
