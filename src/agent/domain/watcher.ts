/**
 * What the agent does without being asked: follow the domains' events, settle marks, switch statistics on, and tell
 * watchers. Every event is only a hint; what it leads to is judged by the description, so a missed one does no harm.
 */
import { zeroBytes } from '../../memory/bytes.ts';
import type { Timer } from '../../runtime/clock.ts';
import type { Admits } from '../admission.ts';
import type { ConnectionChange, DomainRef, DriverEvent } from '../driver.ts';
import type { DomainHostEvent, EventLog } from '../event-log.ts';
import type { GuestFollowUp } from '../guest/follow-up.ts';
import type { StatisticsBell } from '../guest/statistics-bell.ts';
import { StatisticsPoll } from '../guest/statistics-poll.ts';
import type { HostMemory } from '../host-memory.ts';
import type { RepairController } from '../repair/controller.ts';
import type { RunIdentities } from './identity.ts';
import { DomainSettler, type DomainSettlerOptions } from './settler.ts';

export type DomainWatcherOptions = DomainSettlerOptions & {
  readonly identities: RunIdentities;
  readonly hostMemory: HostMemory;
  readonly events: EventLog;
  readonly repairs: RepairController;
  readonly followUp: GuestFollowUp;
  readonly bell: StatisticsBell;
  readonly admits: Admits;
};

const settleMs = 30_000;

export class DomainWatcher {
  readonly #options: DomainWatcherOptions;
  readonly #settler: DomainSettler;
  readonly #unsubscribe: (() => void)[] = [];
  readonly #poll: StatisticsPoll;
  #settling: Timer | null = null;
  #problem: string;
  #caughtUp = false;
  #stopped = false;
  readonly #ready: (() => void)[] = [];

  constructor(options: DomainWatcherOptions) {
    this.#options = options;
    this.#settler = new DomainSettler(options);
    this.#poll = new StatisticsPoll({ ...options, isReady: () => this.#caughtUp });
    this.#problem = `${options.driver.name} has not been reached yet`;
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
    const { driver } = this.#options;
    this.#unsubscribe.push(
      driver.onEvent((event) => this.#handle(event)),
      driver.onConnection((change) => this.#handleConnection(change)),
    );
    this.#poll.start();
    this.#settleAgain();
    driver.start();
  }

  stop(): void {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#poll.stop();
    this.#settling?.cancel();
  }

  #settleAgain(): void {
    if (this.#stopped) return;
    this.#settling = this.#options.clock.after(settleMs, () => {
      const settled = this.#caughtUp ? this.#settler.settleAll() : Promise.resolve();
      void settled.finally(() => this.#settleAgain());
    });
  }

  async #handleConnection(change: ConnectionChange): Promise<void> {
    const { driver, logger } = this.#options;
    switch (change.kind) {
      case 'connected':
        await this.#catchUp();
        return;
      case 'disconnected':
        if (this.#caughtUp) logger.warn({ reason: change.reason, err: change.message }, `${driver.name} is lost`);
        else logger.info({ reason: change.reason, err: change.message }, `${driver.name} cannot be reached`);
        this.#caughtUp = false;
        this.#problem = change.message;
        return;
    }
  }

  /** After a connect: count what runs, and put it right. Events wait until this is done. */
  async #catchUp(): Promise<void> {
    const { driver, runs, identities, hostMemory, events, clock, logger } = this.#options;
    identities.forget();
    runs.noticedGap(clock.now());
    hostMemory.clear();
    const domains = await driver.listDomains();
    const running = domains.filter((domain) => domain.id !== null);
    for (const run of runs.all()) if (!running.some(({ uuid }) => uuid === run.uuid)) runs.delete(run.uuid);
    await Promise.all(running.map((domain) => this.#takeUp(domain)));
    this.#caughtUp = true;
    for (const resolve of this.#ready.splice(0)) resolve();
    const lacks = Object.entries(driver.capabilities).flatMap(([name, has]) => (has ? [] : [name]));
    const about = { domains: domains.length, running: running.length, ...(lacks.length > 0 ? { lacks } : {}) };
    logger.info(about, `${driver.name} is connected`);
    events.append({ kind: 'reset' });
  }

  /** Counts a running domain's memory; if it is admitted, switches its statistics on and settles its marks. */
  async #takeUp({ uuid }: DomainRef): Promise<void> {
    const { reader, repairs, bell, logger } = this.#options;
    let memory: Awaited<ReturnType<typeof reader.describe>>;
    try {
      memory = await reader.describe(uuid);
    } catch (error) {
      // It may have stopped meanwhile; if the connection is gone there will be another.
      logger.debug({ uuid, err: String(error) }, 'domain could not be read');
      return;
    }
    if (!memory.ok) {
      if (memory.error.code !== 'not-found')
        logger.warn({ uuid, err: memory.error.message }, 'domain is not understood');
      return;
    }
    const run = reader.update(memory.value);
    if (run === null) return;
    if (memory.value.state.ok) run.sawOperations(memory.value.state.value);
    repairs.onDomainFound(memory.value, run);
    // Neither is waited for: either may queue behind a job that holds the domain.
    bell.restore(memory.value);
    void this.#settler.settle(run);
  }

  #handle(event: DriverEvent): void {
    const { runs, reader, hostMemory, followUp, clock } = this.#options;
    const { domain } = event;
    const { uuid } = domain;
    const nowMs = clock.now();
    const run = runs.get(uuid);
    switch (event.kind) {
      case 'started':
        if (event.goesOn) reader.runOf(domain)?.heardReturn(nowMs);
        else reader.runOf(domain)?.heardBoot(nowMs);
        void this.#takeUp(domain);
        this.#publish(domain, 'lifecycle');
        return;
      case 'stopped':
        runs.delete(uuid);
        hostMemory.setCommitted(uuid, zeroBytes, null);
        this.#publish(domain, 'lifecycle');
        return;
      case 'changed':
        this.#publish(domain, 'lifecycle');
        return;
      case 'rebooted':
        run?.heardBoot(nowMs);
        this.#publish(domain, 'lifecycle');
        if (run !== undefined) void this.#settler.settle(run);
        return;
      case 'owner-changed':
        this.#publish(domain, 'lifecycle');
        void this.#settler.recount(uuid);
        return;
      case 'balloon-changed':
        run?.heardBalloon();
        this.#publish(domain, 'statistics');
        return;
      case 'module-added':
        run?.heardArrival(event.alias, nowMs);
        this.#publish(domain, 'module-added');
        void this.#settler.recount(uuid);
        return;
      case 'module-removed':
        if (run !== undefined) {
          run.heardRemoval(event.alias, nowMs);
          // Nobody asks a guest that nobody resizes.
          if (run.operations.claim !== null) followUp.departed(run);
        }
        this.#publish(domain, 'module-removed');
        if (run !== undefined && run.operations.marks.length > 0) void this.#settler.settle(run);
        else void this.#settler.recount(uuid);
        return;
      case 'module-refused':
        run?.heardRefusal(event.alias, nowMs);
        this.#publish(domain, 'module-refused');
        if (run !== undefined) void this.#settler.settle(run);
        return;
    }
  }

  #publish(domain: DomainRef, kind: DomainHostEvent['kind']): void {
    if (this.#options.admits(domain.name)) this.#options.events.append({ kind, uuid: domain.uuid });
  }
}
