/**
 * Looks into QEMU for what a killed libvirtd left behind, and keeps what was found with the run.
 *
 * QEMU's monitor is asked only when something points to leftovers, since libvirt marks the domain as tainted for it.
 */
import type { DomainReader } from '../domain/reader.ts';
import type { DomainFacts } from '../domain/facts.ts';
import type { RunningDomain } from '../domain/running-domain.ts';
import type { MonitorMemory } from '../driver.ts';
import { isDriverError } from '../driver-error.ts';
import type { EventLog } from '../event-log.ts';
import { recordStep, type StepContext } from './actions.ts';
import { computeFindings, describeRepair, isOverdue, type Orphan, type Repair } from './findings.ts';

export type RepairInspectorOptions = StepContext & { readonly reader: DomainReader; readonly events: EventLog };

/** What a look gave. `later`: QEMU couldn't be asked just now; `over`: there is nothing to be done about it. */
export type Look = DomainFacts | 'later' | 'over';

export class RepairInspector {
  readonly #options: RepairInspectorOptions;
  /** What watchers were told to be wrong. */
  readonly #published = new Map<string, string | null>();

  constructor(options: RepairInspectorOptions) {
    this.#options = options;
  }

  /** Finds out what there is now, and notices what has gone. The caller holds the lock of the domain. */
  async look(run: RunningDomain): Promise<Look> {
    const { driver, reader, clock, logger } = this.#options;
    const { uuid } = run;
    let qemu: MonitorMemory | null;
    try {
      qemu = await driver.monitor.memory(uuid);
    } catch (error) {
      if (!isDriverError(error)) throw error;
      if (error.class === 'DomainNotFound') return 'over';
      return isDriverError(error, 'Forbidden', 'Unsupported', 'Rejected') ? this.#giveUp(run, error.message) : 'later';
    }
    if (qemu === null) return this.#giveUp(run, "QEMU's answer is not understood");
    // Only now the description: see computeFindings.
    const gathered = await reader.gather(uuid);
    if (!gathered.ok) return gathered.error.code === 'not-found' ? 'over' : 'later';
    const facts = gathered.value;
    if (facts.run !== run) return 'over';

    const nowMs = clock.now();
    const findings = computeFindings(qemu, facts.memory);
    const before = run.repair.underWay;
    if (before !== null) {
      for (const orphan of before.findings.orphans) {
        if (!qemu.devices.some(({ id }) => id === orphan.alias)) this.#noticeDeparture(facts, run, orphan, before);
      }
    }
    if (findings.orphans.length === 0 && findings.backends.length === 0) {
      run.repair.ended(findings.foreign ? 'not-ours' : 'old-figure');
      if (before !== null) logger.info({ uuid, tookMs: nowMs - before.sinceMs }, 'nothing is left behind any more');
    } else {
      if (before === null) logger.warn({ uuid, ...findings }, 'libvirt has forgotten what a plug made in QEMU');
      const asked = before?.asked?.alias === findings.orphans[0]?.alias ? (before?.asked ?? null) : null;
      run.repair.found({ findings, asked, sinceMs: before?.sinceMs ?? nowMs, problem: before?.problem ?? null });
    }
    this.#publish(run, before);
    return facts;
  }

  /** The monitor can't be used: what is there stays there, and people are told if the balloon shows it. */
  #giveUp(run: RunningDomain, why: string): 'over' {
    const { uuid } = run;
    this.#options.logger.warn({ uuid, err: why }, "QEMU's monitor cannot be used; leftovers stay where they are");
    run.repair.ended('denied');
    return 'over';
  }

  /** Watchers hear when a repair is over, and when it begins to be said to everybody. */
  #publish({ uuid, repair: { underWay } }: RunningDomain, before: Repair | null): void {
    const said = underWay !== null && isOverdue(underWay, this.#options.clock.now()) ? describeRepair(underWay) : null;
    if ((underWay === null) !== (before === null) || said !== (this.#published.get(uuid) ?? null)) {
      this.#options.events.append({ kind: 'statistics', uuid });
    }
    this.#published.set(uuid, said);
  }

  /** An orphan has left QEMU: the guest's last report may still count it. */
  #noticeDeparture(facts: DomainFacts, run: RunningDomain, orphan: Orphan, repair: Repair): void {
    const { clock, events } = this.#options;
    const nowMs = clock.now();
    run.reports.sawDepartures([{ size: orphan.size, atMs: nowMs }]);
    recordStep(this.#options, facts, orphan, 'done', nowMs - repair.sinceMs);
    events.append({ kind: 'module-removed', uuid: run.uuid });
  }
}
