/** The host port over a driver, in the process that it is called from. */
import type { HostAnswer } from '../host/errors.ts';
import { fail, succeed } from '../memory/result.ts';
import type { DomainObservation, DomainSummary, HostEvent, HostFacts } from '../host/port.ts';
import type { Clock } from '../runtime/clock.ts';
import { KeyedMutex } from '../runtime/keyed-mutex.ts';
import type { Admits } from './admission.ts';
import { persistMemory } from './change/persist.ts';
import { plugModule } from './change/plug.ts';
import type { ChangeContext } from './change/prepare.ts';
import { releaseClaim } from './change/release.ts';
import { unplugModule } from './change/unplug.ts';
import { isGuestRunning } from '../host/rules/boot.ts';
import { createRunIdentities, type RunIdentities } from './domain/identity.ts';
import { tellObservation } from './domain/observation.ts';
import { DomainReader } from './domain/reader.ts';
import { Leaders } from '../host/leaders.ts';
import { RunningDomains } from './domain/running-domains.ts';
import { DomainWatcher } from './domain/watcher.ts';
import type { Driver, DomainRef } from './driver.ts';
import { toHostError } from './driver-error.ts';
import { GuestAgentPoll } from './guest/guest-agent.ts';
import { GuestFollowUp } from './guest/follow-up.ts';
import { GuestQuestions, type GuestQuestionsOptions } from './guest/questions.ts';
import { StatisticsBell } from './guest/statistics-bell.ts';
import { HostMemory } from './host-memory.ts';
import { lookAtEach } from './look-at-each.ts';
import { RepairController } from './repair/controller.ts';
import type { RunnableService, ServiceParts } from './service.ts';
import { createRecordedChange } from './with-audit.ts';

export type HostServiceOptions = ServiceParts & {
  readonly driver: Driver;
  readonly admits: Admits;
  readonly identities?: RunIdentities;
  /** Called when a question to a guest is over. */
  readonly onQuestion?: GuestQuestionsOptions['onQuestion'];
  /** Whether the agents in the guests are asked what memory blocks they have. Absent: they aren't. */
  readonly asksGuestAgents?: boolean;
};

/** A plug that takes longer (huge pages) is answered as unfinished; it goes on. Below the client's 40 s. */
const plugAnswerMs = 30_000;
/** For a view of all domains: the answer is for people and tools, which wait longer. */
const patienceWithAllMs = 60_000;
/** For domains that different resources have asked for. */
const patienceWithSomeMs = 250;

/** The service of the host agent on `driver`, which it owns: `start` and `close` are passed on. */
export function createHostService(options: HostServiceOptions): RunnableService {
  const { driver, events, admits, clock, logger } = options;
  const runs = new RunningDomains();
  const mutex = new KeyedMutex();
  const identities = options.identities ?? createRunIdentities();
  const hostMemory = new HostMemory(() => driver.hostMemory());
  const leaders = new Leaders();
  const newestEvent = (): string => events.lastId;
  const reader = new DomainReader({ driver, runs, identities, hostMemory, leaders, newestEvent, admits, clock });
  const bell = new StatisticsBell({ driver, reader, clock, logger });
  const questions = new GuestQuestions({ driver, bell, clock, onQuestion: options.onQuestion });
  const followUp = new GuestFollowUp({ questions, runs, events, mutex, clock, logger });
  const repairs = new RepairController({
    ...{ driver, reader, questions, runs, mutex, events, clock, logger },
    audit: options.audit,
    onRepair: (outcome, durationMs) => options.onOperation?.('repair', outcome, durationMs),
  });
  const changes: ChangeContext = {
    ...{ driver, reader, hostMemory, leaders },
    repairs,
    questions,
    followUp,
    clock,
    logger,
  };
  const watcher = new DomainWatcher({
    ...{ driver, reader, runs, identities, hostMemory, events },
    ...{ repairs, followUp, bell, mutex, admits, clock, logger },
  });
  const guestAgents =
    options.asksGuestAgents === true
      ? new GuestAgentPoll({ driver, events, clock, isRunning: (run) => runs.get(run.uuid) === run })
      : null;
  const change = createRecordedChange(options, mutex, toHostError);
  let versions: Awaited<ReturnType<Driver['versions']>> | null = null;

  async function summarise(domain: DomainRef): Promise<DomainSummary> {
    const { uuid, name } = domain;
    if (domain.id === null) return { uuid, name, state: 'ShutOff' };
    return { uuid, name, state: await driver.state(uuid) };
  }

  async function attempt<T>(work: () => Promise<T>): Promise<HostAnswer<T>> {
    try {
      return succeed(await work());
    } catch (error) {
      return fail(toHostError(error));
    }
  }

  const admittedDomains = async (): Promise<readonly DomainRef[]> =>
    (await driver.listDomains()).filter((domain) => admits(domain.name));

  const observe = async (uuid: string): Promise<HostAnswer<DomainObservation>> => {
    const gathered = await reader.gather(uuid);
    if (!gathered.ok) return gathered;
    const { run, state } = gathered.value;
    if (run !== null && isGuestRunning(state)) guestAgents?.looked(run);
    return succeed(tellObservation(gathered.value, clock));
  };

  const service: RunnableService = {
    get pendingOperations() {
      return mutex.pending;
    },
    start: () => watcher.start(),
    whenReady: (signal) => watcher.whenReady(signal),
    lead: (leader) => leaders.admit(leader),
    readiness: () => (watcher.problem === null ? { ready: true } : { ready: false, problem: watcher.problem }),

    facts: () =>
      attempt(async (): Promise<HostFacts> => {
        versions ??= await driver.versions();
        const all = await driver.listDomains();
        const isServed = ({ name }: DomainRef): boolean => admits(name);
        const ownerless = reader.ownerlessOf(all).filter((domain) => domain.id !== null && isServed(domain));
        return {
          agentVersion: options.agentVersion,
          libvirtVersion: versions.libvirt,
          hypervisorVersion: versions.hypervisor,
          ...hostMemory.facts(),
          virtualMachines: all.filter(isServed).length,
          virtualMachinesWithoutOwner: ownerless.length,
          namespaces: hostMemory.namespaces(),
        };
      }),

    listDomains: () => attempt(async () => Promise.all((await admittedDomains()).map(summarise))),

    observe,

    observeAll: () =>
      attempt(async () => {
        const uuids = (await admittedDomains()).map(({ uuid }) => uuid);
        return lookAtEach(uuids, observe, clock, patienceWithAllMs);
      }),

    observeSome: (uuids) => lookAtEach(uuids, observe, clock, patienceWithSomeMs),

    plug: (uuid, revision, request, actor) =>
      within(
        clock,
        plugAnswerMs,
        change('plug', uuid, request, actor, (totals) => plugModule(changes, uuid, revision, request, totals)),
        () => succeed({ done: false, revision }),
      ),

    unplug: (uuid, revision, request, actor) =>
      change('unplug', uuid, request, actor, (totals) => unplugModule(changes, uuid, revision, request, totals)),

    persist: (uuid, revision, request, actor) =>
      change('persist', uuid, request, actor, (totals) => persistMemory(changes, uuid, revision, request, totals)),

    releaseClaim: (uuid, revision, request, actor) =>
      change('release', uuid, request, actor, (totals) => releaseClaim(changes, uuid, revision, request, totals)),

    watch(listener) {
      let stopped = false;
      const unsubscribe = events.subscribe(({ id, event }) =>
        listener((event.kind === 'reset' ? event : { ...event, id }) satisfies HostEvent),
      );
      queueMicrotask(() => {
        if (!stopped) listener({ kind: 'reset' });
      });
      return () => {
        stopped = true;
        unsubscribe();
      };
    },

    async close() {
      watcher.stop();
      repairs.stop();
      bell.stop();
      guestAgents?.stop();
      await mutex.idle();
      await driver.close();
    },
  };
  return service;
}

/** `work`, or after `ms` milliseconds what `instead` gives while the work goes on. */
function within<T>(clock: Clock, ms: number, work: Promise<T>, instead: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => resolve(instead()));
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
