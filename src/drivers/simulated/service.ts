/**
 * The agent's service over a simulated host instead of libvirt: the same locks, records and events.
 *
 * Admission isn't judged here. Whoever makes the host leaves out what isn't admitted: a VM that a simulated host doesn't
 * have is `not-found` to everybody, and no event tells of it.
 */
import { type HostAnswer, hostError } from '../../host/errors.ts';
import { Leaders } from '../../host/leaders.ts';
import { succeed } from '../../memory/result.ts';
import { totalOf } from '../../host/rules/total.ts';
import type { DomainObservation, Host, HostEvent, MemoryLayout } from '../../host/port.ts';
import { KeyedMutex } from '../../runtime/keyed-mutex.ts';
import { createRecordedChange, type RecordedChange, type Totals } from '../../agent/with-audit.ts';
import type { RunnableService, ServiceParts } from '../../agent/service.ts';

/** The service over `host`, which it owns: `close` is passed on, and ends the watching. */
export function createSimulatedService(host: Host, parts: ServiceParts): RunnableService {
  const { events, agentVersion } = parts;
  const mutex = new KeyedMutex();
  const leaders = new Leaders();
  const recorded = createRecordedChange(parts, mutex, (error) =>
    hostError('internal-error', 'The simulated host failed; the log of the agent has the details', error),
  );
  const change: RecordedChange = (operation, uuid, request, actor, act) =>
    recorded(operation, uuid, request, actor, (totals) => {
      const led = leaders.admit(request.leader);
      return led.ok ? act(totals) : Promise.resolve(led);
    });
  const ids = new EventIds();
  /** Why the host can't be used now; null: it can. */
  let problem: string | null = null;

  function handle(event: HostEvent): void {
    if (event.kind === 'lost') {
      problem = event.error;
      return;
    }
    problem = null;
    if (event.kind === 'reset') {
      events.append(event);
      return;
    }
    const { id, ...told } = event;
    events.append(told);
    if (id !== undefined) ids.took(id, events.lastId);
  }
  const withOwnId = (observation: DomainObservation): DomainObservation => {
    const { asOfEvent, ...seen } = observation;
    const own = ids.own(asOfEvent);
    return own === undefined ? seen : { ...seen, asOfEvent: own };
  };
  const observe = async (uuid: string): Promise<HostAnswer<DomainObservation>> => {
    const answer = await host.observe(uuid);
    return answer.ok ? succeed(withOwnId(answer.value)) : answer;
  };
  const observeSome = async (uuids: readonly string[]): Promise<readonly DomainObservation[]> => {
    const observed = await Promise.all(uuids.map(observe));
    return observed.flatMap((answer) => (answer.ok ? [answer.value] : []));
  };
  const changed = async <T extends { readonly observation?: DomainObservation }>(
    change: Promise<HostAnswer<T>>,
  ): Promise<HostAnswer<T>> => {
    const answer = await change;
    if (!answer.ok || answer.value.observation === undefined) return answer;
    return succeed({ ...answer.value, observation: withOwnId(answer.value.observation) });
  };

  /** `after`: what the change makes of the guest's total, bytes. */
  async function noteTotals(
    totals: Totals,
    uuid: string,
    after: (total: number, layout: MemoryLayout) => number,
  ): Promise<void> {
    const observed = await host.observe(uuid);
    const layout = observed.ok ? observed.value.layout : null;
    if (layout === null) return;
    totals.from = totalOf(layout);
    totals.to = after(totals.from, layout);
  }

  return {
    get pendingOperations() {
      return mutex.pending;
    },
    start() {
      host.watch(handle);
    },
    // A host in memory is there as soon as it is made.
    whenReady: () => Promise.resolve(),
    lead: (leader): HostAnswer<null> => leaders.admit(leader),
    readiness: () => (problem === null ? { ready: true } : { ready: false, problem }),

    async facts() {
      const facts = await host.facts();
      return facts.ok ? succeed({ ...facts.value, agentVersion }) : facts;
    },
    listDomains: () => host.listDomains(),
    observe,

    async observeAll() {
      const domains = await host.listDomains();
      if (!domains.ok) return domains;
      return succeed(await observeSome(domains.value.map(({ uuid }) => uuid)));
    },
    observeSome,

    plug: (uuid, revision, request, actor) =>
      change('plug', uuid, request, actor, async (totals) => {
        await noteTotals(totals, uuid, (total) => total + request.size);
        return changed(host.plug(uuid, revision, request));
      }),

    unplug: (uuid, revision, request, actor) =>
      change('unplug', uuid, request, actor, async (totals) => {
        const sizeIn = ({ modules }: MemoryLayout): number =>
          modules.find(({ slot }) => slot === request.slot)?.size ?? 0;
        await noteTotals(totals, uuid, (total, layout) => total - sizeIn(layout));
        return changed(host.unplug(uuid, revision, request));
      }),

    persist: (uuid, revision, request, actor) =>
      change('persist', uuid, request, actor, async (totals) => {
        await noteTotals(totals, uuid, (total) => total);
        return host.persist(uuid, revision, request);
      }),

    releaseClaim: (uuid, revision, request, actor) =>
      change('release', uuid, request, actor, async (totals) => {
        await noteTotals(totals, uuid, (total) => total);
        return host.releaseClaim(uuid, revision, request);
      }),

    watch: (listener) =>
      host.watch((event) => {
        if (!('uuid' in event)) {
          listener(event);
          return;
        }
        const { id, ...told } = event;
        const own = ids.own(id);
        listener(own === undefined ? told : { ...told, id: own });
      }),

    async close() {
      await mutex.idle();
      await host.close();
    },
  };
}

/** More events than any answer is under way for. */
const maxIds = 1_024;

/** What the host's events are called in the log, which has others, too. */
class EventIds {
  readonly #own = new Map<string, string>();

  took(id: string, own: string): void {
    this.#own.set(id, own);
    const [first] = this.#own.keys();
    if (first !== undefined && this.#own.size > maxIds) this.#own.delete(first);
  }

  /** undefined: not known. */
  own(id: string | undefined): string | undefined {
    return id === undefined ? undefined : this.#own.get(id);
  }
}
