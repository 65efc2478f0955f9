/** Attaching a module where QEMU and the guest take it, and finding out whether they did. */
import { type HostAnswer, hostError, type HostError } from '../../host/errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import type { PlugAnswer, PlugRequest } from '../../host/port.ts';
import { chooseBase, explainMisplaced, isTakenAt } from '../../host/rules/addresses.ts';
import { askForModule, type WantedModule } from '../../host/rules/marks.ts';
import { isPreallocated, otherFreeSlots } from '../../host/rules/slots.ts';
import type { Bytes } from '../../memory/bytes.ts';
import { aliasOfSlot } from '../../memory/module.ts';
import { type DomainFacts, modulesOf, regionOf } from '../domain/facts.ts';
import { settledMarks, tellObservation, toObservation } from '../domain/observation.ts';
import { uptakeState } from '../domain/observed-guest.ts';
import { isDriverError, toHostError } from '../driver-error.ts';
import { aliasesOfSlot } from './aliases.ts';
import type { ChangeContext, Found } from './prepare.ts';
import { writeOperationState } from './write-operation-state.ts';

/** What a module is tried with. */
type Place = {
  readonly slot: number;
  readonly alias: string;
  /** null: QEMU's choice. */
  readonly base: Bytes | null;
};

/**
 * In which order. What QEMU refuses it gives one code for, so the next place is tried whatever the cause was; where every
 * try stops the guest, one that nothing of the first can be in the way of.
 */
function placesFor({ facts, observation: { layout } }: Found, request: PlugRequest): readonly Place[] {
  const { slot } = request;
  const base = chooseBase(regionOf(facts.memory));
  const others = layout === null ? [] : otherFreeSlots(layout, request);
  const elsewhere = others.map((other) => ({ slot: other, alias: aliasOfSlot(other), base }));
  if (layout !== null && isPreallocated(layout, request)) {
    return [{ slot, alias: aliasOfSlot(slot), base }, ...elsewhere];
  }
  return [
    ...aliasesOfSlot(slot).map((alias) => ({ slot, alias, base })),
    ...(base === null ? [] : [{ slot, alias: aliasOfSlot(slot), base: null }]),
    ...elsewhere,
  ];
}

/**
 * Plugs the module, into another slot if QEMU refuses the one that was asked for.
 * @param record writes down what is about to be plugged, when it is into another slot
 */
export async function attachModule(
  context: ChangeContext,
  found: Found,
  request: PlugRequest,
  record: (slot: number) => Promise<void>,
): Promise<HostAnswer<PlugAnswer>> {
  const { facts } = found;
  const { run, statistics, memory } = facts;
  run?.plugs.begins(uptakeState(facts, run, context.clock.now()));
  let failure: HostError | null = null;
  const refused = new Set<number>();
  for (const place of placesFor(found, request)) {
    if (place.slot !== request.slot && !refused.has(place.slot)) await record(place.slot);
    const tried = await tryPlace(context, memory, request, place);
    if (tried.kind === 'failed') {
      failure ??= tried.error;
      refused.add(place.slot);
      continue;
    }
    if (tried.kind === 'settled') return fail(tried.error);
    if (place.slot !== request.slot) {
      run?.plugs.refusedSlots([...refused]);
      context.logger.warn(
        { uuid: memory.uuid, slots: [...refused], took: place.slot },
        'slots that look free are taken',
      );
    } else if (place.alias !== aliasOfSlot(place.slot)) {
      // The name of the first one is taken, though no module has it.
      context.repairs.requireInspection(memory.uuid);
    }
    if (run !== null) context.followUp.plugged(run, statistics?.available ?? null, request.size);
    return lookAfterwards(context, found, request, place);
  }
  return fail(failure ?? hostError('internal-error', 'There is no place for the module'));
}

type Tried =
  | { readonly kind: 'plugged' }
  /** It failed in a way that no other place can mend, or nobody knows what became of it. */
  | { readonly kind: 'settled'; readonly error: HostError }
  /** QEMU refused and nothing was plugged; another place may do. */
  | { readonly kind: 'failed'; readonly error: HostError };

async function tryPlace(
  context: ChangeContext,
  { uuid, hasNumaNodes }: DomainFacts['memory'],
  request: PlugRequest,
  place: Place,
): Promise<Tried> {
  const { size, node, pageSize, hostNodes } = request;
  const { slot, alias, base } = place;
  try {
    await context.driver.attach(uuid, {
      ...{ slot, alias, size, node: hasNumaNodes ? node : null },
      ...(base === null ? {} : { base }),
      ...(pageSize === undefined ? {} : { pageSize }),
      ...(hostNodes === undefined ? {} : { hostNodes }),
    });
    return { kind: 'plugged' };
  } catch (error) {
    if (isDriverError(error, 'OutcomeUnknown')) context.repairs.requireInspection(uuid);
    return settleFailure(context, uuid, { slot, size }, error);
  }
}

/** A failed attach may have happened all the same: the XML tells. */
async function settleFailure(
  context: ChangeContext,
  uuid: string,
  { slot, size }: { readonly slot: number; readonly size: Bytes },
  error: unknown,
): Promise<Tried> {
  const failure = toHostError(error);
  const byQemu = isDriverError(error, 'Failed');
  if (!byQemu && !isDriverError(error, 'OutcomeUnknown')) return { kind: 'settled', error: failure };

  const after = await context.reader.gather(uuid);
  if (!after.ok) return { kind: 'settled', error: after.error.code === 'not-found' ? after.error : failure };
  const { name, layout } = toObservation(after.value, context.clock.now());
  if (layout === null) {
    return { kind: 'settled', error: hostError('not-running', `VM ${name} stopped meanwhile`, error) };
  }
  const there = layout.modules.find((module) => module.slot === slot);
  if (there?.size === size && aliasesOfSlot(slot).includes(there.alias)) return { kind: 'plugged' };
  return { kind: byQemu && there === undefined ? 'failed' : 'settled', error: failure };
}

/** The module is there: what is next is guarded by how the domain is now, provided that the guest takes it there. */
async function lookAfterwards(
  context: ChangeContext,
  { facts: before }: Found,
  request: PlugRequest,
  place: Place,
): Promise<HostAnswer<PlugAnswer>> {
  const { reader, clock } = context;
  const after = await reader.gather(before.memory.uuid, 'layout');
  if (!after.ok) {
    return fail(hostError('outcome-unknown', `The module was plugged, but then: ${after.error.message}`));
  }
  const { memory, run } = after.value;
  const module = modulesOf(memory).find(({ slot }) => slot === place.slot);
  if (module !== undefined) run?.plugs.plugged(module, clock.now());
  if (module !== undefined && !isTakenAt(module.base, memory.arch)) {
    const problem = explainMisplaced(regionOf(before.memory), module.base);
    run?.plugs.misplaced(regionOf(before.memory), module.base, problem);
    const isGone = await takeBack(context, after.value, { ...module, alias: module.alias ?? '' }, request);
    return fail(hostError('hotplug-unsupported', isGone ? problem : `${problem}; the module is still leaving`));
  }
  const observation = tellObservation(after.value, clock);
  return succeed({ done: place.slot === request.slot, revision: observation.revision, observation });
}

/** A guest gives up within 0.2 s what it has refused; the first request may be lost on the insertion (facts-libvirt, (2)). */
const takeBackRequests = 3;
const takeBackMs = 2_000;
const takeBackLookMs = 50;

/** Takes a module out that the guest has certainly taken nothing of; whether it has gone. */
async function takeBack(
  context: ChangeContext,
  facts: DomainFacts,
  module: WantedModule,
  { generation }: PlugRequest,
): Promise<boolean> {
  const { driver, reader, clock } = context;
  const { uuid } = facts.memory;
  const { claim, replacement } = facts;
  let marks = settledMarks(facts, clock.now());
  for (let request = 0; request < takeBackRequests; request += 1) {
    const askedAtMs = clock.now();
    marks = askForModule(marks, module, generation, askedAtMs);
    await writeOperationState(context, facts, { claim, replacement, marks });
    await driver.detach(uuid, module.alias);
    while (clock.now() - askedAtMs < takeBackMs) {
      const now = await reader.gather(uuid, 'layout');
      if (now.ok && !modulesOf(now.value.memory).some(({ slot }) => slot === module.slot)) return true;
      await new Promise<void>((resolve) => clock.after(takeBackLookMs, resolve));
    }
  }
  return false;
}
