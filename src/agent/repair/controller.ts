/**
 * Takes away what a killed libvirtd left behind in QEMU: modules that no XML shows, and memory backends without a
 * module. Why, what was measured and what it costs: docs/adr/0006-memory-that-libvirt-forgot.md.
 *
 * QEMU's monitor is asked only when something points to leftovers, since libvirt marks the domain as tainted for it.
 */
import { hostError, type HostError } from '../../host/errors.ts';
import { computeRepeatMs } from '../../host/rules/repeat.ts';
import type { DomainMemoryXml } from '../../libvirt/xml/domain-memory.ts';
import { isCallError, isLibvirtError } from '../../libvirt/domain/errors.ts';
import { askMonitorMemory, type MonitorMemory } from '../../libvirt/domain/monitor-memory.ts';
import type { Timer } from '../../runtime/clock.ts';
import type { DomainReader } from '../domain/reader.ts';
import type { EventLog } from '../event-log.ts';
import type { GuestQuestions } from '../guest/questions.ts';
import { certainAtMs, rulesOutHidden, type Verdict } from './suspicion.ts';
import type { KeyedMutex } from '../../runtime/keyed-mutex.ts';
import {
  describeRepair,
  findLeftovers,
  isOverdue,
  judgeRemoval,
  lookAgainMs,
  type Orphan,
  type Repair,
} from './findings.ts';
import { type DomainFacts, toObservation } from '../domain/observation.ts';
import { askForOrphan, deleteBackend, recordStep, type StepContext } from './actions.ts';
import type { Run, Runs } from '../domain/running-domains.ts';

export type OrphanKeeperOptions = StepContext & {
  readonly reader: DomainReader;
  readonly questions: GuestQuestions;
  readonly runs: Runs;
  readonly mutex: KeyedMutex;
  readonly events: EventLog;
};

/** While libvirt can't be asked, or the guest must not be asked yet. */
const retryMs = 2_000;

/** What a look gave. `later`: libvirt couldn't be asked just now; `over`: there is nothing to be done about it. */
type Look = DomainFacts | 'later' | 'over';

export class OrphanKeeper {
  readonly #options: OrphanKeeperOptions;
  readonly #timers = new Map<string, Timer>();
  /** Domains of which it has to be found out whether the balloon would show a leftover. */
  readonly #unchecked = new Set<string>();
  /** What watchers were told to be wrong. */
  readonly #said = new Map<string, string | null>();
  #stopped = false;

  constructor(options: OrphanKeeperOptions) {
    this.#options = options;
  }

  /** Looks at the domain soon, if it isn't under way already. */
  suspect(uuid: string): void {
    if (!this.#timers.has(uuid)) this.#schedule(uuid, 0);
  }

  /** A plug ended in the unknown, or QEMU holds a name that it shouldn't: the monitor is asked before the next change. */
  doubt(uuid: string): void {
    const run = this.#options.runs.get(uuid);
    if (run !== undefined) run.suspected = true;
    this.suspect(uuid);
  }

  /**
   * libvirt is there (again): a domain that the agent has changed before may have leftovers of a plug that nobody
   * remembers. Where the balloon tells, the monitor isn't asked.
   */
  welcome(memory: DomainMemoryXml, run: Run): void {
    if (run.repair !== null) run.suspected = true;
    const isTouched = memory.state.ok && memory.state.value.claim !== null;
    if (isTouched) this.#unchecked.add(memory.uuid);
    if (run.suspected || isTouched) this.suspect(memory.uuid);
  }

  /**
   * Why nothing may be changed on the domain now; null: there are no leftovers. The caller holds the lock of the domain
   * and has just gathered `facts`.
   */
  async obstacle({ memory, run }: DomainFacts): Promise<HostError | null> {
    if (run === null) return null;
    if (run.suspected) await this.#look(memory.uuid, run);
    if (run.repair !== null) {
      this.suspect(memory.uuid);
      return hostError('busy', describeRepair(run.repair));
    }
    if (run.suspected) {
      return hostError('busy', `What a killed libvirtd may have left behind in VM ${memory.name} is still looked for`);
    }
    return null;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #schedule(uuid: string, ms: number): void {
    if (this.#stopped) return;
    this.#timers.set(
      uuid,
      this.#options.clock.after(ms, () => void this.#run(uuid)),
    );
  }

  async #run(uuid: string): Promise<void> {
    const { mutex, runs, logger } = this.#options;
    let againMs: number | null = retryMs;
    try {
      againMs = await mutex.run(uuid, () => this.#step(uuid));
    } catch (error) {
      if (!isLibvirtError(error)) logger.error({ uuid, error: String(error) }, 'looking for leftovers failed');
    }
    this.#timers.delete(uuid);
    if (againMs === null) this.#unchecked.delete(uuid);
    // Suspected while this was under way.
    const isSuspect = runs.get(uuid)?.suspected === true;
    if (againMs !== null || isSuspect) this.#schedule(uuid, againMs ?? retryMs);
  }

  /** One look and what follows from it; the milliseconds until the next one, null: there need be none. */
  async #step(uuid: string): Promise<number | null> {
    const { reader, clock } = this.#options;
    const gathered = await reader.gather(uuid);
    if (!gathered.ok) return gathered.error.code === 'not-found' ? null : retryMs;
    const { memory, run } = gathered.value;
    if (run === null) return null;
    if (this.#unchecked.has(uuid)) {
      if (run.askedAtMs === 0) return retryMs; // libvirt is too busy with the domain to say what the balloon says
      this.#unchecked.delete(uuid);
      if (!rulesOutHidden(memory, run.statistics)) run.suspected = true;
    }
    if (!run.suspected && run.repair === null) {
      if (run.hidden === null || run.hidden.verdict !== undefined) return null;
      const waitMs = certainAtMs(run.hidden) - clock.now();
      if (waitMs > 0) return waitMs;
    }
    const facts = await this.#look(uuid, run);
    if (facts === 'later') return retryMs;
    return facts === 'over' || run.repair === null ? null : this.#repair(facts, run, run.repair);
  }

  /** Finds out what there is now, and notices what has gone. The caller holds the lock of the domain. */
  async #look(uuid: string, run: Run): Promise<Look> {
    const { hypervisor, reader, clock, logger } = this.#options;
    let qemu: MonitorMemory | null;
    try {
      qemu = await askMonitorMemory(hypervisor, uuid);
    } catch (error) {
      if (!isLibvirtError(error)) throw error;
      if (isCallError(error, 'DomainNotFound')) return 'over';
      const isDenied = error.kind === 'call' && ['Forbidden', 'Unsupported', 'Rejected'].includes(error.class);
      return isDenied ? this.#giveUp(uuid, run, error.text) : 'later';
    }
    if (qemu === null) return this.#giveUp(uuid, run, "QEMU's answer is not understood");
    // Only now the XML: see findLeftovers.
    const gathered = await reader.gather(uuid);
    if (!gathered.ok) return gathered.error.code === 'not-found' ? 'over' : 'later';
    const facts = gathered.value;
    if (facts.run !== run) return 'over';

    const nowMs = clock.now();
    const leftovers = findLeftovers(qemu, facts.memory);
    const before = run.repair;
    if (before !== null) {
      for (const orphan of before.leftovers.orphans) {
        if (!qemu.devices.some(({ id }) => id === orphan.alias)) this.#noticeDeparture(facts, run, orphan, before);
      }
    }
    if (leftovers.orphans.length === 0 && leftovers.backends.length === 0) {
      this.#conclude(run, leftovers.foreign ? 'not-ours' : 'old-figure');
      run.repair = null;
      if (before !== null) logger.info({ uuid, tookMs: nowMs - before.sinceMs }, 'nothing is left behind any more');
    } else {
      if (before === null) logger.warn({ uuid, ...leftovers }, 'libvirt has forgotten what a plug made in QEMU');
      const asked = before?.asked?.alias === leftovers.orphans[0]?.alias ? (before?.asked ?? null) : null;
      run.suspected = false;
      run.repair = { leftovers, asked, sinceMs: before?.sinceMs ?? nowMs, problem: before?.problem ?? null };
    }
    this.#tell(uuid, run, before);
    return facts;
  }

  /** The monitor can't be used: what is there stays there, and people are told if the balloon shows it. */
  #giveUp(uuid: string, run: Run, why: string): 'over' {
    this.#options.logger.warn({ uuid, error: why }, "QEMU's monitor cannot be used; leftovers stay where they are");
    this.#conclude(run, 'denied');
    run.repair = null;
    return 'over';
  }

  /** What a look means for memory that only the balloon shows. */
  #conclude(run: Run, verdict: Verdict): void {
    run.suspected = false;
    if (run.hidden !== null) run.hidden = { ...run.hidden, verdict };
  }

  /** Watchers hear when a repair is over, and when it begins to be said to everybody. */
  #tell(uuid: string, run: Run, before: Repair | null): void {
    const said = (repair: Repair | null): string | null =>
      repair !== null && isOverdue(repair, this.#options.clock.now()) ? describeRepair(repair) : null;
    if ((run.repair === null) !== (before === null) || said(run.repair) !== (this.#said.get(uuid) ?? null)) {
      this.#options.events.append({ kind: 'statistics', uuid });
    }
    this.#said.set(uuid, said(run.repair));
  }

  /** Takes the next step of a repair; the milliseconds until the next look, which alone can say that it is over. */
  async #repair(facts: DomainFacts, run: Run, repair: Repair): Promise<number> {
    const { clock } = this.#options;
    let isRefused = false;
    for (const name of repair.leftovers.backends)
      isRefused = !(await deleteBackend(this.#options, facts, name)) || isRefused;
    const [orphan] = repair.leftovers.orphans;
    if (orphan === undefined) {
      run.repair = { ...repair, problem: isRefused ? 'QEMU refuses; the log has the details' : null };
      return isRefused ? retryMs : lookAgainMs(0);
    }
    let { asked } = repair;
    let problem: string | null = null;
    if (asked === null || clock.now() - asked.atMs >= computeRepeatMs(asked.attempts)) {
      problem = await this.#judge(facts, run, orphan);
      if (problem === null) {
        problem = await askForOrphan(this.#options, facts, orphan);
        asked = { alias: orphan.alias, atMs: clock.now(), attempts: (asked?.attempts ?? 0) + 1 };
      }
    }
    const isSilent = asked !== null && asked.attempts > 1;
    problem ??= isSilent ? `the guest has not given ${orphan.alias} up, asked ${asked?.attempts} times` : null;
    run.repair = { ...repair, asked, problem };
    return asked === null ? retryMs : lookAgainMs(clock.now() - asked.atMs);
  }

  /** Why the guest can't be asked for `orphan` now, by what it says when it is asked what it has; null: it can. */
  async #judge(facts: DomainFacts, run: Run, orphan: Orphan): Promise<string | null> {
    const { questions, clock } = this.#options;
    const problem = judgeRemoval(orphan, toObservation(facts, clock.now()));
    if (problem !== null) return problem;
    const answer = await questions.ask(run);
    if (answer.kind !== 'answered') return 'the guest does not say what memory it has';
    return judgeRemoval(orphan, toObservation({ ...facts, statistics: answer.report }, clock.now()));
  }

  /** An orphan has left QEMU: the guest's last report may still count it. */
  #noticeDeparture(facts: DomainFacts, run: Run, orphan: Orphan, repair: Repair): void {
    const { clock, events } = this.#options;
    const nowMs = clock.now();
    run.departures = [...run.departures, { size: orphan.size, atMs: nowMs }];
    recordStep(this.#options, facts, orphan, 'done', nowMs - repair.sinceMs);
    events.append({ kind: 'module-removed', uuid: facts.memory.uuid });
  }
}
