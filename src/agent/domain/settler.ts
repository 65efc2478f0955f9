/** What is done under the lock of a domain after something has happened to it: marks are settled, memory is counted. */
import type { Clock } from '../../runtime/clock.ts';
import type { KeyedMutex } from '../../runtime/keyed-mutex.ts';
import type { Logger } from '../../runtime/logger.ts';
import { writeOperationState } from '../change/write-operation-state.ts';
import type { Driver } from '../driver.ts';
import { settledMarks } from './observation.ts';
import type { DomainReader } from './reader.ts';
import type { RunningDomain } from './running-domain.ts';
import type { RunningDomains } from './running-domains.ts';

export type DomainSettlerOptions = {
  readonly driver: Driver;
  readonly reader: DomainReader;
  readonly runs: RunningDomains;
  readonly mutex: KeyedMutex;
  readonly clock: Clock;
  readonly logger: Logger;
};

export class DomainSettler {
  readonly #options: DomainSettlerOptions;
  /** What waits for the lock of a domain, each once. */
  readonly #waiting = new Set<string>();

  constructor(options: DomainSettlerOptions) {
    this.#options = options;
  }

  /** Brings the marks in the metadata up to what the description and the events say, if there are any. Never rejects. */
  async settle(run: RunningDomain): Promise<void> {
    if (run.operations.marks.length === 0) return;
    const { reader, clock, logger } = this.#options;
    const { uuid } = run;
    await this.#whenFree('settle', uuid, async () => {
      const gathered = await reader.gather(uuid);
      if (!gathered.ok) return;
      const facts = gathered.value;
      const marks = settledMarks(facts, clock.now());
      if (facts.run === null || marks === facts.marks) return;
      try {
        await writeOperationState(this.#options, facts, { claim: facts.claim, marks, replacement: facts.replacement });
      } catch (error) {
        logger.warn({ uuid, err: String(error) }, 'marks could not be written; they are settled later');
      }
    });
  }

  /** Settles the marks of all domains. */
  async settleAll(): Promise<void> {
    await Promise.all(this.#options.runs.all().map((run) => this.settle(run)));
  }

  /**
   * A domain's memory changed: what it is promised is counted anew. After a change of ours, which has just read the
   * domain and holds its lock: while libvirt is at it the XML is neither the old nor the new one. Never rejects.
   */
  recount(uuid: string): Promise<void> {
    const { reader, logger } = this.#options;
    return this.#whenFree('recount', uuid, async () => {
      try {
        const memory = await reader.describe(uuid);
        if (memory.ok) reader.update(memory.value);
      } catch (error) {
        logger.debug({ uuid, err: String(error) }, 'domain could not be read');
      }
    });
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
}
