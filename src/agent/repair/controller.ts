/**
 * Takes away what a killed libvirtd left behind in QEMU: modules that no XML shows, and memory backends without a
 * module. Why, what was measured and what it costs: docs/adr/0006-memory-that-libvirt-forgot.md.
 */
import { hostError, type HostError } from '../../host/errors.ts';
import { computeRepeatMs } from '../../host/rules/repeat.ts';
import type { Timer } from '../../runtime/clock.ts';
import type { KeyedMutex } from '../../runtime/keyed-mutex.ts';
import type { DomainDescription } from '../domain/description.ts';
import type { DomainFacts } from '../domain/facts.ts';
import { toObservation } from '../domain/observation.ts';
import type { RunningDomain } from '../domain/running-domain.ts';
import type { RunningDomains } from '../domain/running-domains.ts';
import { isDriverError } from '../driver-error.ts';
import type { GuestQuestions } from '../guest/questions.ts';
import { askForOrphan, deleteBackend } from './actions.ts';
import { describeRepair, judgeRemoval, lookAgainMs, type Orphan, type Repair } from './findings.ts';
import { RepairInspector, type RepairInspectorOptions } from './inspector.ts';
import { certainAtMs, rulesOutHidden } from './suspicion.ts';

export type RepairControllerOptions = RepairInspectorOptions & {
  readonly questions: GuestQuestions;
  readonly runs: RunningDomains;
  readonly mutex: KeyedMutex;
};

/** While QEMU can't be asked, or the guest must not be asked yet. */
const retryMs = 2_000;

export class RepairController {
  readonly #options: RepairControllerOptions;
  readonly #inspector: RepairInspector;
  readonly #timers = new Map<string, Timer>();
  /** Domains of which it has to be found out whether the balloon would show a leftover. */
  readonly #unchecked = new Set<string>();
  #stopped = false;

  constructor(options: RepairControllerOptions) {
    this.#options = options;
    this.#inspector = new RepairInspector(options);
    options.reader.onHidden((uuid) => this.#enqueue(uuid));
  }

  /** A plug ended in the unknown, or QEMU holds a name that it shouldn't: the monitor is asked before the next change. */
  requireInspection(uuid: string): void {
    this.#options.runs.get(uuid)?.repair.requireInspection();
    this.#enqueue(uuid);
  }

  /**
   * The hypervisor is there (again): a domain that the agent has changed before may have leftovers of a plug that nobody
   * remembers. Where the balloon tells, the monitor isn't asked.
   */
  onDomainFound(memory: DomainDescription, { repair }: RunningDomain): void {
    if (repair.underWay !== null) repair.requireInspection();
    const isTouched = memory.state.ok && memory.state.value.claim !== null;
    if (isTouched) this.#unchecked.add(memory.uuid);
    if (repair.needsInspection || isTouched) this.#enqueue(memory.uuid);
  }

  /**
   * Why nothing may be changed on the domain now; null: there are no leftovers. The caller holds the lock of the domain
   * and has just gathered `facts`.
   */
  async findObstacle({ memory, run }: DomainFacts): Promise<HostError | null> {
    if (run === null) return null;
    if (run.repair.needsInspection) await this.#inspector.look(run);
    if (run.repair.underWay !== null) {
      this.#enqueue(memory.uuid);
      return hostError('busy', describeRepair(run.repair.underWay));
    }
    if (run.repair.needsInspection) {
      return hostError('busy', `What a killed libvirtd may have left behind in VM ${memory.name} is still looked for`);
    }
    return null;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  /** Looks at the domain soon, if it isn't under way already. */
  #enqueue(uuid: string): void {
    if (!this.#timers.has(uuid)) this.#schedule(uuid, 0);
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
      if (!isDriverError(error)) logger.error({ uuid, err: String(error) }, 'looking for leftovers failed');
    }
    this.#timers.delete(uuid);
    if (againMs === null) this.#unchecked.delete(uuid);
    // Required while this was under way.
    const needsInspection = runs.get(uuid)?.repair.needsInspection === true;
    if (againMs !== null || needsInspection) this.#schedule(uuid, againMs ?? retryMs);
  }

  /** One look and what follows from it; the milliseconds until the next one, null: there need be none. */
  async #step(uuid: string): Promise<number | null> {
    const { reader, clock } = this.#options;
    const gathered = await reader.gather(uuid);
    if (!gathered.ok) return gathered.error.code === 'not-found' ? null : retryMs;
    const { memory, run } = gathered.value;
    if (run === null) return null;
    const { repair } = run;
    if (this.#unchecked.has(uuid)) {
      if (run.askedAtMs === 0) return retryMs; // libvirt is too busy with the domain to say what the balloon says
      this.#unchecked.delete(uuid);
      if (!rulesOutHidden(memory, run.reports.last)) repair.requireInspection();
    }
    if (!repair.needsInspection && repair.underWay === null) {
      if (repair.hidden === null || repair.hidden.diagnosis !== undefined) return null;
      const waitMs = certainAtMs(repair.hidden) - clock.now();
      if (waitMs > 0) return waitMs;
    }
    const facts = await this.#inspector.look(run);
    if (facts === 'later') return retryMs;
    return facts === 'over' || repair.underWay === null ? null : this.#repair(facts, run, repair.underWay);
  }

  /** Takes the next step of a repair; the milliseconds until the next look, which alone can say that it is over. */
  async #repair(facts: DomainFacts, run: RunningDomain, repair: Repair): Promise<number> {
    const { clock } = this.#options;
    let isRefused = false;
    for (const name of repair.findings.backends)
      isRefused = !(await deleteBackend(this.#options, facts, name)) || isRefused;
    const [orphan] = repair.findings.orphans;
    if (orphan === undefined) {
      run.repair.advanced({ ...repair, problem: isRefused ? 'QEMU refuses; the log has the details' : null });
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
    run.repair.advanced({ ...repair, asked, problem });
    return asked === null ? retryMs : lookAgainMs(clock.now() - asked.atMs);
  }

  /** Why the guest can't be asked for `orphan` now, by what it says when it is asked what it has; null: it can. */
  async #judge(facts: DomainFacts, run: RunningDomain, orphan: Orphan): Promise<string | null> {
    const { questions, clock } = this.#options;
    const problem = judgeRemoval(orphan, toObservation(facts, clock.now()));
    if (problem !== null) return problem;
    const answer = await questions.ask(run);
    if (answer.kind !== 'answered') return 'the guest does not say what memory it has';
    return judgeRemoval(orphan, toObservation({ ...facts, statistics: answer.report }, clock.now()));
  }
}
