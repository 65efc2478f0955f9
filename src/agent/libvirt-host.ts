/** The host port over libvirt, in the process that it is called from. */
import { fail, type HostAnswer, succeed } from '../host/errors.ts';
import type { DomainSummary, HostEvent, HostFacts } from '../host/port.ts';
import type { DomainRef } from '../libvirt/domain/events.ts';
import type { Hypervisor, HypervisorInfo } from '../libvirt/domain/hypervisor.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Admits } from './admission.ts';
import { plugModule } from './change/plug.ts';
import type { ChangeContext } from './change/prepare.ts';
import { unplugModule } from './change/unplug.ts';
import { DomainReader } from './domain/reader.ts';
import { GuestFollowUp } from './guest/follow-up.ts';
import { GuestQuestions, type GuestQuestionsOptions } from './guest/questions.ts';
import { HostMemory, readHostMemory } from './host-memory.ts';
import { KeyedMutex } from '../runtime/keyed-mutex.ts';
import { toHostError } from './libvirt-errors.ts';
import { toDomainState, toObservation } from './domain/observation.ts';
import { OrphanKeeper } from './repair/controller.ts';
import { createRecordedChange } from './with-audit.ts';
import { createRunIdentities, type RunIdentities } from './domain/identity.ts';
import { Runs } from './domain/running-domains.ts';
import type { RunnableService, ServiceParts } from './service.ts';
import { StatisticsBell } from './guest/statistics-bell.ts';
import { Upkeep } from './domain/watcher.ts';

export type LibvirtHostOptions = ServiceParts & {
  readonly hypervisor: Hypervisor;
  readonly admits: Admits;
  readonly hostMemory?: HostMemory;
  readonly identities?: RunIdentities;
  /** Called when a question to a guest is over. */
  readonly onQuestion?: GuestQuestionsOptions['onQuestion'];
};

/** A plug that takes longer (huge pages) is answered as unfinished; it goes on. Below the client's 40 s. */
const plugAnswerMs = 30_000;
/** Domains observed at the same time for a view of all: each takes a few calls. */
const observedAtOnce = 8;

/** Major, minor and release of libvirt's version numbers. */
const formatVersion = (version: number): string =>
  `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1_000) % 1_000}.${version % 1_000}`;

/** The service of the host agent on libvirt. It owns `hypervisor`: `start` and `close` are passed on. */
export function createLibvirtHost(options: LibvirtHostOptions): RunnableService {
  const { hypervisor, events, admits, clock, logger } = options;
  const runs = new Runs();
  const mutex = new KeyedMutex();
  const identities = options.identities ?? createRunIdentities();
  const hostMemory = options.hostMemory ?? new HostMemory(readHostMemory);
  const reader = new DomainReader({
    ...{ hypervisor, runs, identities, hostMemory, admits, clock },
    onHidden: (uuid) => orphans.suspect(uuid),
  });
  const bell = new StatisticsBell({ hypervisor, reader, clock, logger });
  const questions = new GuestQuestions({ hypervisor, bell, clock, onQuestion: options.onQuestion });
  const followUp = new GuestFollowUp({ questions, runs, events, mutex, clock, logger });
  const orphans = new OrphanKeeper({
    ...{ hypervisor, reader, questions, runs, mutex, events, clock, logger },
    audit: options.audit,
    onRepair: (outcome, durationMs) => options.onOperation?.('repair', outcome, durationMs),
  });
  const changes: ChangeContext = { hypervisor, reader, hostMemory, orphans, questions, followUp, clock, logger };
  const upkeep = new Upkeep({
    ...{ hypervisor, reader, runs, identities, hostMemory, events },
    ...{ changes, bell, mutex, admits, clock, logger },
  });
  const change = createRecordedChange(options, mutex, toHostError);
  let info: HypervisorInfo | null = null;

  async function summarise(domain: DomainRef): Promise<DomainSummary> {
    const { uuid, name } = domain;
    if (domain.id === null) return { uuid, name, state: 'ShutOff' };
    const { state } = await hypervisor.domainState(uuid);
    return { uuid, name, state: toDomainState(state) };
  }

  async function attempt<T>(work: () => Promise<T>): Promise<HostAnswer<T>> {
    try {
      return succeed(await work());
    } catch (error) {
      return fail(toHostError(error));
    }
  }

  const admittedDomains = async (): Promise<readonly DomainRef[]> =>
    (await hypervisor.listDomains()).filter((domain) => admits(domain.name));

  const service: RunnableService = {
    get pendingOperations() {
      return mutex.pending;
    },
    start: () => upkeep.start(),
    whenReady: (signal) => upkeep.whenReady(signal),
    readiness: () => (upkeep.problem === null ? { ready: true } : { ready: false, problem: upkeep.problem }),

    facts: () =>
      attempt(async (): Promise<HostFacts> => {
        info ??= await hypervisor.info();
        const all = await hypervisor.listDomains();
        const isServed = ({ name }: DomainRef): boolean => admits(name);
        const ownerless = reader.ownerlessOf(all).filter((domain) => domain.id !== null && isServed(domain));
        return {
          agentVersion: options.agentVersion,
          libvirtVersion: formatVersion(info.libvirtVersion),
          hypervisorVersion: formatVersion(info.hypervisorVersion),
          ...hostMemory.facts(),
          virtualMachines: all.filter(isServed).length,
          virtualMachinesWithoutOwner: ownerless.length,
        };
      }),

    listDomains: () => attempt(async () => Promise.all((await admittedDomains()).map(summarise))),

    async observe(uuid) {
      const gathered = await reader.gather(uuid);
      if (!gathered.ok) return gathered;
      const observation = toObservation(gathered.value, clock.now());
      const { run } = gathered.value;
      if (run !== null) {
        run.told = observation.guest;
        run.observedAtMs = observation.observedAtMs;
      }
      return succeed(observation);
    },

    observeAll: () =>
      attempt(async () => {
        const waiting = [...(await admittedDomains())];
        const observed: Awaited<ReturnType<typeof service.observe>>[] = [];
        const work = async (): Promise<void> => {
          for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
            observed.push(await service.observe(next.uuid));
          }
        };
        await Promise.all(Array.from({ length: observedAtOnce }, work));
        return observed.flatMap((answer) => (answer.ok ? [answer.value] : []));
      }),

    plug: (uuid, revision, request, actor) =>
      within(
        clock,
        plugAnswerMs,
        change('plug', uuid, request, actor, (totals) => plugModule(changes, uuid, revision, request, totals)),
        () => succeed({ done: false, revision }),
      ),

    unplug: (uuid, revision, request, actor) =>
      change('unplug', uuid, request, actor, (totals) => unplugModule(changes, uuid, revision, request, totals)),

    watch(listener) {
      let stopped = false;
      const unsubscribe = events.subscribe(({ event }) => listener(event satisfies HostEvent));
      queueMicrotask(() => {
        if (!stopped) listener({ kind: 'reset' });
      });
      return () => {
        stopped = true;
        unsubscribe();
      };
    },

    async close() {
      upkeep.stop();
      orphans.stop();
      bell.stop();
      await mutex.idle();
      await hypervisor.close();
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
