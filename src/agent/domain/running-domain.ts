/** What this process has heard about one run of a domain. Losing it costs time, never safety. */
import type { KnownStored } from './description.ts';
import type { GuestStatistics } from '../../host/port.ts';
import { unchangedSince } from '../../host/rules/boot.ts';
import type { MarkEvidence } from '../../host/rules/marks.ts';
import { findDepartures, isSameSeen, type SeenModule } from '../../host/rules/report-correction.ts';
import type { GuestAgentWord } from '../../memory/guest-facts.ts';
import { keptAlias } from '../../memory/kept-text.ts';
import { emptyOperationState, type Mark, type OperationState } from '../../memory/operation-state.ts';
import { GuestReports } from './guest-reports.ts';
import { PlugFacts } from './plug-facts.ts';
import { RepairState } from '../repair/state.ts';

/** What is known of the guest's boot. Epoch milliseconds. */
export type Boot = {
  /** When this process began to hear of the run without a gap. */
  readonly firstSeenAtMs: number;
  /** When the guest last started or was reset, as far as was heard; null: not heard of. */
  readonly bootedAtMs: number | null;
};

type KnownModule = SeenModule & { readonly alias: string | null };

const isSameSet = (before: readonly KnownModule[], now: readonly KnownModule[]): boolean =>
  before.length === now.length && now.every((module) => before.some((known) => isSameSeen(known, module)));

export class RunningDomain {
  readonly uuid: string;
  readonly runtimeId: string;
  /** What is known of memory that the hypervisor's daemon has forgotten. */
  readonly repair = new RepairState();
  /** What the guest has said of its memory, and what that is worth. */
  readonly reports = new GuestReports();
  /** What plugging has shown. */
  readonly plugs = new PlugFacts();

  #boot: Boot;
  /** When the guest last booted, and forgot what it was asked; null: not heard of. */
  #forgotAtMs: number | null = null;
  readonly #refusals = new Map<string, number>();
  #operations: OperationState = emptyOperationState;
  /** Those that the description showed last; null: not read yet. */
  #modules: readonly KnownModule[] | null = null;
  /** When they were last seen to change; null: not since this process has looked. */
  #modulesChangedAtMs: number | null = null;
  #migrating = false;
  #stored: KnownStored | undefined;
  /** 0: not yet. */
  #askedAtMs = 0;
  #observedAtMs = 0;
  #published: GuestStatistics | null = null;
  #guestAgent: { readonly word: GuestAgentWord; readonly askedAtMs: number } | null = null;

  constructor(uuid: string, runtimeId: string, nowMs: number) {
    this.uuid = uuid;
    this.runtimeId = runtimeId;
    this.#boot = { firstSeenAtMs: nowMs, bootedAtMs: null };
  }

  get boot(): Boot {
    return this.#boot;
  }

  /** See {@link unchangedSince}. */
  get unchangedSinceMs(): number {
    return unchangedSince(this.#boot, this.#modulesChangedAtMs);
  }

  /** What marks are settled by. */
  get markEvidence(): MarkEvidence {
    return { refusals: this.#refusals, forgotAtMs: this.#forgotAtMs };
  }

  /** What is kept with the domain, as it was last read or written. */
  get operations(): OperationState {
    return this.#operations;
  }

  get migrating(): boolean {
    return this.#migrating;
  }

  /** What the domain would be started from, as it was last read; undefined: its driver knows no such thing. */
  get stored(): KnownStored | undefined {
    return this.#stored;
  }

  /** When statistics and migration were last asked for, with events heard ever since; 0: not yet. */
  get askedAtMs(): number {
    return this.#askedAtMs;
  }

  /** When somebody last observed the domain. */
  get observedAtMs(): number {
    return this.#observedAtMs;
  }

  /** What the guest's agent last said, and when it was asked; null: it wasn't. */
  get guestAgent(): { readonly word: GuestAgentWord; readonly askedAtMs: number } | null {
    return this.#guestAgent;
  }

  /** The statistics that were last told to watchers. */
  get published(): GuestStatistics | null {
    return this.#published;
  }

  /** After a gap in the events a reset of any guest may have gone unnoticed. */
  noticedGap(nowMs: number): void {
    this.#boot = { firstSeenAtMs: nowMs, bootedAtMs: null };
    this.#forgotAtMs = null;
    this.#askedAtMs = 0;
    this.reports.noticedGap();
    this.repair.forgetHidden();
  }

  heardBoot(nowMs: number): void {
    this.#boot = { ...this.#boot, bootedAtMs: nowMs };
    this.#forgotAtMs = nowMs;
  }

  /**
   * The guest goes on where it stood, in another run: restored, reverted, migrated. It has yet to report to this QEMU, as
   * after a boot, but may still give what it was asked for.
   */
  heardReturn(nowMs: number): void {
    this.#boot = { ...this.#boot, bootedAtMs: nowMs };
    this.reports.heardReturn();
  }

  heardRefusal(alias: string, nowMs: number): void {
    this.#refusals.set(keptAlias(alias), nowMs);
  }

  /** When the guest last refused the module of an alias; null: not heard of. */
  refusedAtMs(alias: string): number | null {
    return this.#refusals.get(keptAlias(alias)) ?? null;
  }

  /** A module of that alias was plugged. */
  heardArrival(alias: string, nowMs: number): void {
    this.#refusals.delete(keptAlias(alias));
    this.#modulesChangedAtMs = nowMs;
  }

  /** The module of an alias has gone. */
  heardRemoval(alias: string, nowMs: number): void {
    this.#refusals.delete(keptAlias(alias));
    const gone = this.#modules?.find((module) => module.alias === alias);
    if (gone === undefined) return;
    this.#modulesChangedAtMs = nowMs;
    this.#modules = this.#modules?.filter((module) => module !== gone) ?? null;
    this.reports.sawDepartures([{ size: gone.size, atMs: nowMs }]);
  }

  /** The modules of a description just read: what it no longer shows has left. */
  sawModules(modules: readonly KnownModule[], marks: readonly Mark[], nowMs: number): void {
    this.reports.sawDepartures(findDepartures(this.#modules, marks, modules, nowMs));
    if (this.#modules !== null && !isSameSet(this.#modules, modules)) this.#modulesChangedAtMs = nowMs;
    this.#modules = modules;
  }

  /** What is kept with the domain was read. */
  sawOperations(state: OperationState): void {
    this.#operations = state;
  }

  /** What is kept with the domain was written. */
  wrote(state: OperationState): void {
    this.#operations = state;
  }

  /** Its balloon has another size: what was asked before is of before. */
  heardBalloon(): void {
    this.#askedAtMs = 0;
  }

  /** Statistics and migration were asked for: what can't be told is as before. */
  sawMigration(migrating: boolean): void {
    this.#migrating = migrating;
  }

  /** Its stored definition was read, or could not be: then what was read before has to do. */
  sawStored(stored: KnownStored): void {
    this.#stored = stored === 'unread' ? (this.#stored ?? stored) : stored;
  }

  /** Statistics were asked for and came. */
  wasAsked(nowMs: number): void {
    this.#askedAtMs = nowMs;
  }

  /** The guest's agent was asked. */
  heardGuestAgent(word: GuestAgentWord, askedAtMs: number): void {
    this.#guestAgent = { word, askedAtMs };
  }

  /** Somebody observed the domain and was told so. */
  wasObserved(guest: GuestStatistics | null, atMs: number): void {
    this.#published = guest;
    this.#observedAtMs = atMs;
  }

  /** Watchers were told. */
  wasPublished(guest: GuestStatistics): void {
    this.#published = guest;
  }
}
