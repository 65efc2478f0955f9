/** How marks of unplugs move on, and how they are shown. Pure; times are epoch milliseconds of the host's clock. */
import { keptAlias } from '../../memory/kept-text.ts';
import { isSameModule, type ModuleIdentity } from '../../memory/module.ts';
import { type Mark, restingMs } from '../../memory/operation-state.ts';
import type { ObservedMark } from '../port.ts';

/** What has been heard about a run. */
export type MarkEvidence = {
  /** When modules were refused, by their aliases as marks keep them. */
  readonly refusals: ReadonlyMap<string, number>;
  /** When the guest last booted or was reset, and forgot what it was asked; null: not heard of. */
  readonly forgotAtMs: number | null;
};

/** The mark of a module that is leaving; undefined: it isn't. */
export const leavingMark = (marks: readonly Mark[], module: ModuleIdentity): Mark | undefined =>
  marks.find((mark) => mark.phase === 'leaving' && isSameModule(mark, module));

/** An answer to the last request, or a reset that made the guest forget it. */
function isCleared(mark: Mark, evidence: MarkEvidence): boolean {
  const refusedAtMs = evidence.refusals.get(mark.alias) ?? -1;
  return Math.max(refusedAtMs, evidence.forgotAtMs ?? -1) >= mark.lastAskedAtMs;
}

/**
 * The marks that hold, given the modules that are there: a leaving module that is gone rests, a rested slot is free, a
 * refused or reset request is forgotten. The same array when nothing changes.
 */
export function settleMarks(
  marks: readonly Mark[],
  modules: readonly ModuleIdentity[],
  evidence: MarkEvidence,
  nowMs: number,
): readonly Mark[] {
  const settled = marks.flatMap((mark): readonly Mark[] => {
    const present = modules.some((module) => isSameModule(module, mark));
    if (mark.phase === 'leaving' && present) return isCleared(mark, evidence) ? [] : [mark];
    if (nowMs - mark.lastAskedAtMs >= restingMs) return [];
    return [mark.phase === 'resting' ? mark : { ...mark, phase: 'resting' }];
  });
  const same = settled.length === marks.length && settled.every((mark, index) => mark === marks[index]);
  return same ? marks : settled;
}

/**
 * Whether marks that are `kept` needn't be written anew to say what the `settled` ones do: they have at most rests too
 * many, of which everybody sees that they are over. A leaving mark that is over must go before another module is
 * plugged, which could be taken for the one that it names.
 */
export const saysTheSame = (kept: readonly Mark[], settled: readonly Mark[]): boolean =>
  settled.every((mark) => kept.includes(mark)) &&
  kept.every((mark) => mark.phase === 'resting' || settled.includes(mark));

/** A module to ask for; when the guest last refused it, epoch milliseconds, where that is known. */
export type WantedModule = ModuleIdentity & Pick<Mark, 'size' | 'alias'> & { readonly refusedAtMs?: number | null };

/** The marks after the module was asked for (again), with the new mark. */
export function askForModule(
  marks: readonly Mark[],
  module: WantedModule,
  generation: number,
  nowMs: number,
): readonly Mark[] {
  const earlier = leavingMark(marks, module);
  const mark: Mark = {
    slot: module.slot,
    base: module.base,
    size: module.size,
    alias: keptAlias(module.alias),
    generation: earlier?.generation ?? generation,
    firstAskedAtMs: earlier?.firstAskedAtMs ?? nowMs,
    // In the millisecond of a refusal, that would count as its answer.
    lastAskedAtMs: Math.max(nowMs, (module.refusedAtMs ?? -1) + 1),
    attempts: (earlier?.attempts ?? 0) + 1,
    phase: 'leaving',
  };
  // A mark of an earlier module at the same place is settled by this one.
  return [...marks.filter((other) => !isSameModule(other, module)), mark];
}

/** The part of a mark that callers learn; null: the module isn't leaving. */
export const toObservedMark = (mark: Mark | undefined): ObservedMark | null =>
  mark === undefined
    ? null
    : {
        generation: mark.generation,
        firstAskedAtMs: mark.firstAskedAtMs,
        lastAskedAtMs: mark.lastAskedAtMs,
        attempts: mark.attempts,
      };
