/**
 * What one reconcile knows. It is made in `reconcile`, each phase fills in what it finds out, and one conclusion is drawn
 * from it (summarise.ts), whatever phase was the last: nothing that was learned is lost on the way out (docs/adr/0024).
 */
import type { Result } from '../../memory/result.ts';
import { cutText, memoryStatusBounds } from '../../api/v1alpha1/bounds.ts';
import type { DesiredMemory } from '../../api/v1alpha1/spec.ts';
import type { VirtualMachineMemory, VirtualMachineMemoryStatus } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { preciseTimestamp } from '../../api/v1alpha1/conditions.ts';
import type { StoredMemory } from '../../host/port.ts';
import { type Bytes, subtractBytes, sumBytes } from '../../memory/bytes.ts';
import { keyOf, type ResourceKey } from '../../runtime/resources.ts';
import { type Drift, forgetSize, judgeDrift } from './drift.ts';
import type { Answered } from './phases/answered.ts';
import { computeResize, isOpen, type Resize } from './resize.ts';
import { ownOf } from './release.ts';
import { computeCurrent } from './total.ts';
import type { Judgement, Located, NotStored, Outcome, Problem } from './types.ts';

/** Whether the VM may be changed, and if not, why not. */
export type Mode =
  | { readonly kind: 'act' }
  | { readonly kind: 'paused'; readonly by: string }
  /** No memory is wanted. */
  | { readonly kind: 'observe' };

export type ScopeInput = {
  /** The resource as it is when this begins. */
  readonly resource: VirtualMachineMemory;
  /** Its spec, as far as it makes sense. */
  readonly desired: Result<DesiredMemory, string>;
  readonly mode: Mode;
  /** What pauses it, in words, whatever it wants; null: nothing does. */
  readonly pausedBy: string | null;
  /** Until when its deletion is held up, epoch ms; null: it isn't. */
  readonly deadlineMs: number | null;
  /** The value of the annotation that asks for a retry; undefined: nobody ever did. */
  readonly requestedAt: string | undefined;
  /** The value of the annotation that asks for a look, where its time has come; undefined: nobody asks. */
  readonly observeRequestedAt: string | undefined;
  /** What was concluded before, written or not. */
  readonly previous: VirtualMachineMemoryStatus;
  /** The status of which people were last told by events. */
  readonly told: VirtualMachineMemoryStatus;
};

/** See the file's comment. */
export class ReconcileScope {
  readonly key: ResourceKey;
  readonly resource: VirtualMachineMemory;
  readonly desired: Result<DesiredMemory, string>;
  readonly mode: Mode;
  readonly pausedBy: string | null;
  readonly deadlineMs: number | null;
  readonly requestedAt: string | undefined;
  readonly observeRequestedAt: string | undefined;
  /** Somebody asked for a retry, and has had none. */
  readonly retryNow: boolean;
  readonly previous: VirtualMachineMemoryStatus;
  readonly told: VirtualMachineMemoryStatus;
  /** The resource as it is stored: what has waited in line for long has said so in its status. */
  stored: VirtualMachineMemory;

  /** Why it couldn't be planned, at last; null: it could. */
  problem: Problem | null = null;
  /** What was last planned, also where a later look met a problem. */
  judgement: Judgement | null = null;
  /** What came of that. */
  outcome: Outcome = { kind: 'nothing' };
  /** What the last change has led to, by its answer; null: that is to be looked at. */
  answered: Answered | null = null;
  /** Why its stored definition isn't written; null: it is, or was not to be. */
  notStored: NotStored | null = null;
  /** Something was changed in this reconcile, or may have been: its status says so, whatever ends it. */
  hasChanged = false;

  /** The QEMU process that was last seen, and the resize that acting on it belongs to. */
  #run: {
    readonly runtimeId: string | null;
    readonly resize: Resize;
    /** It was open already. */
    readonly goesOn: boolean;
  } | null = null;
  #resize: Resize | undefined;
  #resizeBefore: Resize | undefined;
  #drift: Drift | undefined;
  #driftBefore: Drift | undefined;

  constructor(input: ScopeInput) {
    const { resource, requestedAt } = input;
    this.key = keyOf(resource);
    this.resource = resource;
    this.stored = resource;
    this.desired = input.desired;
    this.mode = input.mode;
    this.pausedBy = input.pausedBy;
    this.deadlineMs = input.deadlineMs;
    this.requestedAt = requestedAt;
    this.observeRequestedAt = input.observeRequestedAt;
    this.retryNow = requestedAt !== undefined && requestedAt !== resource.status?.lastHandledReconcileAt;
    this.previous = input.previous;
    this.told = input.told;
    this.#resize = input.previous.lastResize;
    this.#drift = input.previous.drift;
  }

  get generation(): number {
    return this.resource.metadata.generation;
  }

  /** The wanted total; null: none (any more), or none that can be read. */
  get target(): DesiredMemory['memory'] {
    return this.desired.ok && this.deadlineMs === null ? this.desired.value.memory : null;
  }

  /** The resize under way, or the last one. */
  get resize(): Resize | undefined {
    return this.#resize;
  }

  /** The last convergence, and what is done about a change by somebody else since. */
  get drift(): Drift | undefined {
    return this.#drift;
  }

  /**
   * What a resize would be measured from that goes on from here: an open one, or how the VM stood when this reconcile
   * first saw it. Null: not seen yet.
   */
  get baseline(): Resize | null {
    return this.#run?.resize ?? null;
  }

  /** Whether `located` is of the QEMU process that the previous status speaks of. */
  isSameRuntime({ observation }: Pick<Located, 'observation'>): boolean {
    const { runtimeId } = observation;
    const { virtualMachine } = memoryStatusBounds;
    return this.previous.virtualMachine?.runtimeId === (runtimeId && cutText(runtimeId, virtualMachine.runtimeId));
  }

  /** The VM was seen. How it stands the first time is what a new resize begins from. */
  sees(located: Located, nowMs: number): void {
    const { runtimeId, guest } = located.observation;
    if (this.#run?.runtimeId === runtimeId) return;
    const current = computeCurrent(located.layout);
    const previous = this.#run === null && this.isSameRuntime(located) ? this.#resize : undefined;
    const resize = computeResize({ previous, target: this.#aimAt(located), before: { current, guest }, nowMs });
    this.#run = { runtimeId, resize, goesOn: isOpen(previous) };
  }

  /** Where a resize that begins now goes. */
  #aimAt({ layout }: Located): Bytes {
    const current = computeCurrent(layout);
    if (this.deadlineMs === null) return this.target ?? current;
    return subtractBytes(current, sumBytes(ownOf(layout.modules).map(({ size }) => size)));
  }

  /** It was planned. What is leaving, or goes on under another wish, belongs to a resize though nothing is done now. */
  plans(judgement: Judgement, nowMs: number): void {
    const { plan } = judgement;
    this.judgement = judgement;
    this.outcome = { kind: 'nothing' };
    const { generation, retryNow } = this;
    const mayAct = this.mode.kind === 'act';
    this.#drift =
      this.deadlineMs !== null
        ? undefined
        : judgeDrift({ previous: this.#drift, judgement, generation, retryNow, mayAct, nowMs });
    const isLeaving = plan.decision === 'wait' && plan.reason === 'Unplugging';
    const goesOn = this.#run?.goesOn === true && mayAct;
    if (this.target !== null && (isLeaving || goesOn)) this.#opensResize(nowMs);
  }

  /** Something is about to be changed: from now on there is a resize, whatever comes of it and whoever looks next. */
  beginsChange(nowMs: number): void {
    this.#resizeBefore = this.#resize;
    this.#driftBefore = this.#drift;
    this.#drift = forgetSize(this.#drift);
    this.#opensResize(nowMs);
  }

  #opensResize(nowMs: number): void {
    if (this.#run === null) return;
    const { resize } = this.#run;
    if (this.#resize === resize) return;
    // It begins now: until then it may have waited in line for long.
    const opened = { ...resize, startTime: preciseTimestamp(nowMs) };
    this.#run = { ...this.#run, resize: opened };
    this.#resize = opened;
  }

  /** It was looked at since, or nobody looks any more. */
  dropAnswered(): void {
    this.answered?.drop();
    this.answered = null;
  }

  /** The stored definition is another one now; all else is as it was judged. */
  sawStored(stored: StoredMemory): void {
    if (this.judgement === null) return;
    const { located } = this.judgement;
    const observation = { ...located.observation, stored };
    this.judgement = { ...this.judgement, located: { ...located, observation } };
  }

  /** What was about to be changed was not: no resize was opened by it. */
  didNothing(): void {
    this.#resize = this.#resizeBefore;
    this.#drift = this.#driftBefore;
  }
}
