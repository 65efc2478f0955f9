/**
 * What the agent does without being asked: follow the domains' events, settle marks, switch statistics on, and tell
 * watchers. Every event is only a hint; what it leads to is judged by the XML, so a missed one does no harm.
 */
import type { DomainEvent, DomainRef } from '../../libvirt/domain/events.ts';
import type { Hypervisor } from '../../libvirt/domain/hypervisor.ts';
import { ownerNamespace } from '../../libvirt/xml/operation-state.ts';
import type { ConnectionChange } from '../../libvirt/rpc/session.ts';
import { zeroBytes } from '../../memory/bytes.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Admits } from '../admission.ts';
import type { ChangeContext } from '../change/prepare.ts';
import type { DomainReader } from './reader.ts';
import type { DomainHostEvent, EventLog } from '../event-log.ts';
import type { HostMemory } from '../host-memory.ts';
import { keepState } from '../change/write-operation-state.ts';
import type { KeyedMutex } from '../../runtime/keyed-mutex.ts';
import { settledMarks } from './observation.ts';
import type { RunIdentities } from './identity.ts';
import { noticeRemoval, type Run, type Runs } from './running-domains.ts';
import type { StatisticsBell } from '../guest/statistics-bell.ts';
import { pollStatistics } from '../guest/statistics-poll.ts';

export type UpkeepOptions = {
  readonly hypervisor: Hypervisor;
  readonly reader: DomainReader;
  readonly runs: Runs;
  readonly identities: RunIdentities;
  readonly hostMemory: HostMemory;
  readonly events: EventLog;
  readonly changes: ChangeContext;
  readonly bell: StatisticsBell;
  readonly mutex: KeyedMutex;
  readonly admits: Admits;
  readonly clock: Clock;
  readonly logger: Logger;
};

const pollMs = 2_000;
const settleMs = 30_000;

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #unsubscribe: (() => void)[] = [];
  readonly #timers = new Map<string, Timer>();
  /** What waits for the lock of a domain, each once. */
  readonly #waiting = new Set<string>();
  #problem = 'libvirt has not been reached yet';
  #caughtUp = false;
  #stopped = false;
  readonly #ready: (() => void)[] = [];

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** Why the hypervisor can't be used now; null: it can. */
  get problem(): string | null {
    return this.#caughtUp ? null : this.#problem;
  }

  /** Resolves after the first catching up, or on the signal. */
  whenReady(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#caughtUp || signal.aborted) {
        resolve();
        return;
      }
      this.#ready.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  start(): void {
    const { hypervisor } = this.#options;
    this.#unsubscribe.push(
      hypervisor.onEvent((event) => this.#heed(event)),
      hypervisor.onConnection((change) => this.#heedConnection(change)),
    );
    this.#every('poll', pollMs, () => (this.#caughtUp ? pollStatistics(this.#options) : Promise.resolve()));
    this.#every('settle', settleMs, () => this.#settleAll());
    hypervisor.start();
  }

  stop(): void {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #every(name: string, ms: number, work: () => Promise<void>): void {
    const again = (): void => {
      if (this.#stopped) return;
      this.#timers.set(
        name,
        this.#options.clock.after(ms, () => void work().finally(again)),
      );
    };
    again();
  }

  async #heedConnection(change: ConnectionChange): Promise<void> {
    const { logger } = this.#options;
    switch (change.kind) {
      case 'connected':
        await this.#catchUp();
        return;
      case 'disconnected':
        if (this.#caughtUp) logger.warn({ reason: change.reason, error: change.message }, 'libvirt is lost');
        else logger.info({ reason: change.reason, error: change.message }, 'libvirt cannot be reached');
        this.#caughtUp = false;
        this.#problem = change.message;
        return;
    }
  }

  /** After a connect: count and welcome what runs. Events wait until this is done. */
  async #catchUp(): Promise<void> {
    const { hypervisor, runs, identities, hostMemory, events, clock, logger } = this.#options;
    identities.forget();
    runs.noticeGap(clock.now());
    hostMemory.clear();
    const domains = await hypervisor.listDomains();
    const running = domains.filter((domain) => domain.id !== null);
    for (const run of runs.all()) if (!running.some(({ uuid }) => uuid === run.uuid)) runs.delete(run.uuid);
    await Promise.all(running.map((domain) => this.#welcome(domain)));
    this.#caughtUp = true;
    for (const resolve of this.#ready.splice(0)) resolve();
    logger.info({ domains: domains.length, running: running.length }, 'libvirt is connected');
    events.append({ kind: 'reset' });
  }

  /** Counts a running domain's memory; if it is admitted, switches its statistics on and settles its marks. */
  async #welcome(domain: DomainRef): Promise<void> {
    const { hypervisor, reader, changes, bell, logger } = this.#options;
    const { uuid } = domain;
    let xml: string;
    try {
      xml = await hypervisor.domainXml(uuid);
    } catch (error) {
      // It may have stopped meanwhile; if the connection is gone there will be another.
      logger.debug({ uuid, error: String(error) }, 'domain could not be read');
      return;
    }
    const memory = reader.read(uuid, xml);
    if (!memory.ok) {
      if (memory.error.code !== 'not-found')
        logger.warn({ uuid, error: memory.error.message }, 'domain is not understood');
      return;
    }
    const run = reader.meet(memory.value);
    if (run === null) return;
    if (memory.value.state.ok) run.operations = memory.value.state.value;
    changes.orphans.welcome(memory.value, run);
    // Neither is waited for: either may queue behind a job that holds the domain.
    bell.welcome(memory.value);
    if (run.operations.marks.length > 0) void this.#settle(uuid);
  }

  #heed(event: DomainEvent): void {
    const { runs, reader, hostMemory, changes, clock } = this.#options;
    const { domain } = event;
    const { uuid } = domain;
    const nowMs = clock.now();
    const run = runs.get(uuid);
    switch (event.kind) {
      case 'lifecycle':
        if (event.change === 'started') {
          const started = reader.runOf(domain);
          if (started !== null) started.bootedAtMs = nowMs;
          void this.#welcome(domain);
        } else if (event.change === 'stopped') {
          runs.delete(uuid);
          hostMemory.setCommitted(uuid, zeroBytes);
        }
        this.#tell(domain, 'lifecycle');
        return;
      case 'reboot':
        if (run !== undefined) run.bootedAtMs = nowMs;
        this.#tell(domain, 'lifecycle');
        this.#settleSoon(run);
        return;
      case 'metadata':
        // Our own notes come by here too; only the owner is somebody else's to change.
        if (event.namespaceUri !== ownerNamespace) return;
        this.#tell(domain, 'lifecycle');
        void this.#recount(domain);
        return;
      case 'balloon':
        this.#tell(domain, 'statistics');
        return;
      case 'deviceAdded':
        // The alias arrives with QEMU's prefix for memory (facts-libvirt, pitfall 1).
        run?.refusals.delete(event.alias.replace(/^mem/, ''));
        this.#tell(domain, 'module-added');
        void this.#recount(domain);
        return;
      case 'deviceRemoved':
        if (run !== undefined) {
          run.refusals.delete(event.alias);
          noticeRemoval(run, event.alias, nowMs);
          // Nobody asks a guest that nobody resizes.
          if (run.operations.claim !== null) changes.followUp.departed(run);
        }
        this.#tell(domain, 'module-removed');
        if (run !== undefined && run.operations.marks.length > 0) this.#settleSoon(run);
        else void this.#recount(domain);
        return;
      case 'deviceRemovalFailed':
        run?.refusals.set(event.alias, nowMs);
        this.#tell(domain, 'module-refused');
        this.#settleSoon(run);
        return;
    }
  }

  #tell(domain: DomainRef, kind: DomainHostEvent['kind']): void {
    if (this.#options.admits(domain.name)) this.#options.events.append({ kind, uuid: domain.uuid });
  }

  #settleSoon(run: Run | undefined): void {
    if (run !== undefined && run.operations.marks.length > 0) void this.#settle(run.uuid);
  }

  /**
   * Runs `work` under the lock of the domain. Not when the same waits already: that will see what has happened until
   * then, and a daemon that sends events without an end must not fill our memory.
   */
  async #whenFree(name: 'settle' | 'recount', uuid: string, work: () => Promise<void>): Promise<void> {
    const key = `${name} ${uuid}`;
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    await this.#options.mutex.run(uuid, () => {
      this.#waiting.delete(key);
      return work();
    });
  }

  /** Brings the marks in the metadata up to what the XML and the events say. */
  #settle(uuid: string): Promise<void> {
    const { reader, changes, clock, logger } = this.#options;
    return this.#whenFree('settle', uuid, async () => {
      const gathered = await reader.gather(uuid);
      if (!gathered.ok) return;
      const facts = gathered.value;
      const marks = settledMarks(facts, clock.now());
      if (facts.run === null || marks === facts.marks) return;
      try {
        await keepState(changes, facts, { claim: facts.claim, marks, replacement: facts.replacement });
      } catch (error) {
        logger.warn({ uuid, error: String(error) }, 'marks could not be written; they are settled later');
      }
    });
  }

  /**
   * A domain's memory changed: what it is promised is counted anew. After a change of ours, which has just read the
   * domain and holds its lock: while libvirt is at it the XML is neither the old nor the new one.
   */
  #recount({ uuid }: DomainRef): Promise<void> {
    const { reader, hypervisor, logger } = this.#options;
    return this.#whenFree('recount', uuid, async () => {
      try {
        const memory = reader.read(uuid, await hypervisor.domainXml(uuid));
        if (memory.ok) reader.meet(memory.value);
      } catch (error) {
        logger.debug({ uuid, error: String(error) }, 'domain could not be read');
      }
    });
  }

  async #settleAll(): Promise<void> {
    if (!this.#caughtUp) return;
    const marked = this.#options.runs.all().filter((run) => run.operations.marks.length > 0);
    await Promise.all(marked.map((run) => this.#settle(run.uuid)));
  }
}
