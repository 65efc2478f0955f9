/** Gathers what is known about a domain, in one round of calls. Changes nothing on it. */
import { type HostAnswer, hostError } from '../../host/errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import { isActiveState } from '../../host/rules/boot.ts';
import { holderOf } from '../../host/rules/namespace-limit.ts';
import type { Leaders } from '../../host/leaders.ts';
import { zeroBytes } from '../../memory/bytes.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Admits } from '../admission.ts';
import type { Driver, DomainRef, MemoryStatistics } from '../driver.ts';
import { isDriverError, toHostError } from '../driver-error.ts';
import type { HostMemory } from '../host-memory.ts';
import type { DomainDescription, KnownStored } from './description.ts';
import type { RunIdentities } from './identity.ts';
import { type DomainFacts, modulesOf } from './facts.ts';
import { uptakeState } from './observed-guest.ts';
import type { StatisticsLook } from './guest-reports.ts';
import type { RunningDomain } from './running-domain.ts';
import type { RunningDomains } from './running-domains.ts';
import { countedAs } from '../../host/rules/total.ts';

export type DomainReaderOptions = {
  readonly driver: Driver;
  readonly runs: RunningDomains;
  readonly identities: RunIdentities;
  readonly hostMemory: HostMemory;
  /** Hears of those that are kept with the domains, which outlast the agent's process. Absent: nobody asks. */
  readonly leaders?: Leaders;
  /** The id of the newest event. Absent: observations don't say how new they are. */
  readonly newestEvent?: () => string;
  readonly admits: Admits;
  readonly clock: Clock;
};

/**
 * Statistics and jobs wait behind a change of the domain (20 s for huge pages, facts-libvirt section 8); the XML and
 * the state don't. Past this time the last known answer has to do.
 */
const patienceMs = 1_000;

/** Statistics that a plug may be judged by: the guest itself reports every 2 s at best. */
const recentMs = 5_000;

/** null: it couldn't be told. */
type Asked = {
  /** The run that was known when it was asked. */
  readonly of: RunningDomain | undefined;
  readonly statistics: MemoryStatistics | null;
  /** As it began. */
  readonly look: StatisticsLook;
  readonly migrating: boolean;
  /** undefined: the driver knows no such thing. */
  readonly stored: KnownStored | undefined;
};

/** A domain that isn't there and one that isn't admitted give the same answer. */
const notFound = (uuid: string) => fail(hostError('not-found', `There is no VM ${uuid}`));

export class DomainReader {
  readonly #options: DomainReaderOptions;
  readonly #ownerless = new Set<string>();
  #onHidden: (uuid: string) => void = () => undefined;

  constructor(options: DomainReaderOptions) {
    this.#options = options;
  }

  /** `listener` is called when QEMU may have memory that the description doesn't show. */
  onHidden(listener: (uuid: string) => void): void {
    this.#onHidden = listener;
  }

  /**
   * Everything about the domain as it is now. With `layout` statistics and migration may be some seconds old, which
   * spares a plug most of its reading: both were looked at when it was planned.
   */
  async gather(uuid: string, need: 'everything' | 'layout' = 'everything'): Promise<HostAnswer<DomainFacts>> {
    const { driver, runs, hostMemory, newestEvent, clock } = this.#options;
    const asOfEvent = newestEvent?.() ?? null;
    const known = runs.get(uuid);
    const isRecent = (run: RunningDomain): boolean => clock.now() - run.askedAtMs < recentMs;
    const asked = need === 'layout' && known !== undefined && isRecent(known) ? null : this.#ask(uuid, known);
    try {
      const [memory, state] = await Promise.all([this.describe(uuid), driver.state(uuid)]);
      if (!memory.ok) return memory;
      const { state: operations, ownerNamespace } = memory.value;
      if (!operations.ok || !ownerNamespace.ok) return unreadableMetadata(memory.value);
      const run = isActiveState(state) ? this.update(memory.value) : null;
      if (run === null) {
        await asked;
        runs.delete(uuid);
      } else {
        run.sawOperations(operations.value);
        // Another run than the one whose answers were to do.
        if (asked !== null || !isRecent(run)) this.#take(run, memory.value, await (asked ?? this.#ask(uuid, run)));
      }
      const facts: DomainFacts = {
        memory: memory.value,
        state,
        run,
        statistics: run?.reports.last ?? null,
        migrating: run?.migrating ?? false,
        ...operations.value,
        ownerNamespace: ownerNamespace.value,
        defaultHugePageSize: hostMemory.defaultHugePageSize,
        asOfEvent,
      };
      run?.plugs.looked(uptakeState(facts, run, clock.now()));
      return succeed(facts);
    } catch (error) {
      return isDriverError(error, 'DomainNotFound') ? notFound(uuid) : fail(toHostError(error));
    }
  }

  /** What may wait behind a change of the domain. Never rejects. */
  async #ask(uuid: string, known: RunningDomain | undefined): Promise<Asked> {
    const { driver, clock } = this.#options;
    const atMs = clock.now();
    const look = known?.reports.beginLook(atMs) ?? { atMs, answeredAtMs: null };
    const [statistics, job, stored] = await Promise.all([
      this.#soon(driver.statistics(uuid), null),
      this.#soon(driver.job(uuid), null),
      driver.capabilities.storedDefinition
        ? this.#soon<KnownStored>(driver.describeStored(uuid), 'unread')
        : Promise.resolve(undefined),
    ]);
    const migrating = job === null ? (known?.migrating ?? false) : job === 'migration';
    return { of: known, statistics, look, migrating, stored };
  }

  #take(run: RunningDomain, memory: DomainDescription, { of, statistics, look, migrating, stored }: Asked): void {
    const nowMs = this.#options.clock.now();
    if (statistics !== null) {
      if (run.repair.sawBalloon(memory, statistics, nowMs)) this.#onHidden(run.uuid);
      // What an earlier run has answered says nothing of this one.
      run.reports.took(statistics, of === run ? look : { ...look, answeredAtMs: null });
      run.wasAsked(nowMs);
    }
    run.sawMigration(migrating);
    if (stored !== undefined) run.sawStored(stored);
  }

  /**
   * The domain's description, understood; what is promised to the domain is counted, admitted or not.
   * @throws DriverError
   */
  async describe(uuid: string): Promise<HostAnswer<DomainDescription>> {
    const { driver, hostMemory, leaders, admits } = this.#options;
    const memory = await driver.describe(uuid);
    if (!memory.ok) {
      const { path, problem } = memory.error;
      return fail(hostError('rejected', `The XML of VM ${uuid} cannot be understood: ${path}: ${problem}`));
    }
    if (memory.value.leader !== null) leaders?.learn(memory.value.leader);
    const { state, ownerNamespace: owner } = memory.value;
    const holder =
      state.ok && owner.ok ? holderOf({ claim: state.value.claim, ownerNamespace: owner.value }) : 'unread';
    hostMemory.setCommitted(uuid, memory.value.id === null ? zeroBytes : countedAs(memory.value, 'promised'), holder);
    if (memory.value.ownerNamespace.ok && memory.value.ownerNamespace.value === null) this.#ownerless.add(uuid);
    else this.#ownerless.delete(uuid);
    return admits(memory.value.name) ? succeed(memory.value) : notFound(uuid);
  }

  /** Of these domains, which are all that there are, those that were seen last without an owner. */
  ownerlessOf(domains: readonly DomainRef[]): readonly DomainRef[] {
    const there = new Set(domains.map(({ uuid }) => uuid));
    for (const uuid of this.#ownerless) if (!there.has(uuid)) this.#ownerless.delete(uuid);
    return domains.filter(({ uuid }) => this.#ownerless.has(uuid));
  }

  /** As {@link runOf}, with the modules of a description just read: what it no longer shows has left. */
  update(memory: DomainDescription): RunningDomain | null {
    const run = this.runOf(memory);
    if (run === null) return null;
    const marks = memory.state.ok ? memory.state.value.marks : [];
    run.sawModules(modulesOf(memory), marks, this.#options.clock.now());
    return run;
  }

  /** What was heard about the run of a running domain; null when it isn't running. */
  runOf(memory: Pick<DomainDescription, 'uuid' | 'id'>): RunningDomain | null {
    const { runs, identities, clock } = this.#options;
    if (memory.id === null) return null;
    return runs.ensure(memory.uuid, identities.identify(memory.uuid, memory.id), clock.now());
  }

  /** `promise`, or `fallback` when it fails or takes too long. */
  #soon<T>(promise: Promise<T>, fallback: T): Promise<T> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(patienceMs, () => resolve(fallback));
      promise
        .catch(() => fallback)
        .then(
          (value) => {
            timer.cancel();
            resolve(value);
          },
          () => resolve(fallback),
        );
    });
  }
}

/** Nobody acts as if nothing were there when what is there can't be read. */
function unreadableMetadata(memory: DomainDescription) {
  const [broken] = [memory.ownerNamespace, memory.state].filter((part) => !part.ok);
  const where = broken?.ok === false ? `${broken.error.path} ${broken.error.problem}` : '';
  const wayOut = memory.ownerNamespace.ok
    ? 'an admin of the host can remove it with "dimmer agent release UUID"'
    : 'an admin of the host can write the owner element anew (docs/operations.md)';
  return fail(
    hostError(
      'claimed-by-other',
      `What is kept for Dimmer in the metadata of VM ${memory.name} cannot be read (${where}); ${wayOut}`,
    ),
  );
}
