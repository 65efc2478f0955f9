/**
 * How QEMU is made to ask a guest for its memory now. Setting the balloon's statistics period to 0 and back makes its
 * timer anew, and a new timer fires at once; setting the same period again does nothing (facts-libvirt, section 9).
 *
 * The period that stood before stands afterwards. It is written into the domain's metadata before the first of the two
 * calls, and goes when it stands again: whoever finds it, after a kill or a migration, puts it back.
 */
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { KeyedMutex } from '../../runtime/keyed-mutex.ts';
import type { DomainDescription } from '../domain/description.ts';
import type { DomainReader } from '../domain/reader.ts';
import type { Driver } from '../driver.ts';
import { isDriverError } from '../driver-error.ts';

export type StatisticsBellOptions = {
  readonly driver: Driver;
  readonly reader: Pick<DomainReader, 'describe'>;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Where statistics are off they are switched on with this period. */
const defaultPeriodSeconds = 2;
/** A call that is queued in libvirt outlives its client by 30 s, the time for which it waits for the domain's job. */
const lateCallMs = 35_000;
const retryMs = 2_000;
/** Somebody who sets another period all the time isn't waited for. */
const maxLooks = 5;

/** A ring. */
export type Ring = {
  /** Just before it: what the guest answers was made later, unless an earlier question was open. */
  readonly askedAtMs: number;
  /** What stands now. */
  readonly periodMs: number;
};

type Period = {
  /** 0: statistics are off. */
  readonly standing: number;
  /** What is recorded to be put back; null: nothing. */
  readonly recorded: number | null;
};

const periodOf = (memory: DomainDescription): Period | null =>
  memory.balloon === null || memory.id === null
    ? null
    : { standing: memory.balloon.statsPeriodSeconds, recorded: memory.periodToRestore };

export class StatisticsBell {
  readonly #options: StatisticsBellOptions;
  readonly #mutex = new KeyedMutex();
  /** Domains whose period has to be looked at again, and what it has to be. */
  readonly #unsettled = new Map<string, { readonly seconds: number; readonly timer: Timer }>();
  #stopped = false;

  constructor(options: StatisticsBellOptions) {
    this.#options = options;
  }

  /** Runs `work`, which rings, while nobody else does on the domain. */
  exclusively<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(uuid, work);
  }

  /**
   * Rings. null: there is no balloon. The caller is alone (`exclusively`), has seen that no job holds the domain, and
   * calls `fallSilent` in the end.
   * @throws DriverError; what stood before is put back as soon as libvirt lets us
   */
  async ring(uuid: string): Promise<Ring | null> {
    const { driver, clock } = this.#options;
    const seconds = await this.#record(uuid);
    if (seconds === null) return null;
    const askedAtMs = clock.now();
    try {
      await driver.setStatisticsPeriod(uuid, 0);
      // What somebody else has set in between stands, and has rung as well.
      const meanwhile = await this.#look(uuid);
      if (meanwhile === null || meanwhile.standing > 0) {
        return { askedAtMs, periodMs: (meanwhile?.standing ?? seconds) * 1000 };
      }
      await driver.setStatisticsPeriod(uuid, seconds);
      return { askedAtMs, periodMs: seconds * 1000 };
    } catch (error) {
      this.#settleLater(uuid, seconds, retryMs);
      throw error;
    }
  }

  /** The period stands again: the record of it goes. Never rejects. */
  async fallSilent(uuid: string): Promise<void> {
    if (this.#unsettled.has(uuid)) return;
    try {
      await this.#options.driver.recordStatisticsPeriod(uuid, null);
    } catch (error) {
      if (!isDriverError(error)) throw error;
      // It does no harm: it names what stands.
      this.#options.logger.debug({ uuid, err: error }, 'record of the statistics period could not be removed');
    }
  }

  /** A running domain was found: statistics that are off are switched on, and what a question left behind is put right. */
  restore(memory: DomainDescription): void {
    if (!this.#options.driver.capabilities.statisticsOnDemand) return;
    const period = periodOf(memory);
    if (period === null || (period.standing > 0 && period.recorded === null)) return;
    const seconds = period.recorded ?? defaultPeriodSeconds;
    void this.exclusively(memory.uuid, () => this.#settle(memory.uuid, seconds, period.recorded === null));
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#unsettled.values()) timer.cancel();
  }

  /** Writes down what stands, so that it is what stands when that is written; null: there is no balloon. */
  async #record(uuid: string): Promise<number | null> {
    const { driver } = this.#options;
    let seconds: number | null = null;
    for (let look = 0; look < maxLooks; look += 1) {
      const period = await this.#look(uuid);
      if (period === null) return null;
      // 0: another question was cut off, or somebody has switched them off, which doesn't stand (docs/operations.md).
      const recorded = this.#unsettled.get(uuid)?.seconds ?? period.recorded;
      seconds = period.standing > 0 ? period.standing : (recorded ?? defaultPeriodSeconds);
      if (period.recorded === seconds) break;
      await driver.recordStatisticsPeriod(uuid, seconds);
    }
    return seconds;
  }

  async #look(uuid: string): Promise<Period | null> {
    const memory = await this.#options.reader.describe(uuid);
    return memory.ok ? periodOf(memory.value) : null;
  }

  #settleLater(uuid: string, seconds: number, ms: number): void {
    this.#unsettled.get(uuid)?.timer.cancel();
    if (this.#stopped) return;
    const timer = this.#options.clock.after(
      ms,
      () => void this.exclusively(uuid, () => this.#settle(uuid, seconds, true)),
    );
    this.#unsettled.set(uuid, { seconds, timer });
  }

  /**
   * Puts the period back where statistics are off. What libvirt says of that is not what QEMU has where libvirtd was killed
   * after telling QEMU and before writing it down: so QEMU is told in any case, and the same period again does nothing to it.
   * @param isFinal whether no call of a client that is gone can be under way any more: the record goes
   */
  async #settle(uuid: string, seconds: number, isFinal: boolean): Promise<void> {
    const { driver, logger } = this.#options;
    this.#unsettled.delete(uuid);
    try {
      const period = await this.#look(uuid);
      if (period === null) return;
      await driver.setStatisticsPeriod(uuid, period.standing > 0 ? period.standing : seconds);
      if (period.standing === 0) {
        logger.info({ uuid, periodSeconds: seconds }, 'guest memory statistics switched on');
      }
      if (!isFinal) this.#settleLater(uuid, seconds, lateCallMs);
      else if (period.recorded !== null) await this.fallSilent(uuid);
    } catch (error) {
      if (!isDriverError(error)) throw error;
      logger.warn({ uuid, err: error }, 'guest memory statistics could not be switched on');
      // A connection that is lost finds the domain again.
      if (driver.connected) this.#settleLater(uuid, seconds, retryMs);
    }
  }
}
