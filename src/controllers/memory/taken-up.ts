/** Whether the guest is known to have what it was given, whoever gave it and whenever. Pure. */
import { isAfter } from '../../host/rules/report-correction.ts';
import { explainSilence, explainTotal } from '../../host/rules/readiness.ts';
import { judgeTotal, mostKept } from '../../host/rules/guest-total.ts';
import { type Bytes, bytes, sumBytes } from '../../memory/bytes.ts';
import { formatMeasured, formatNeeded, formatQuantity } from '../../memory/quantity.ts';
import { memoryMapOf } from '../../planner/guest-safety.ts';
import type { Plan } from '../../planner/types.ts';
import { computeCurrent } from './total.ts';
import type { Located } from './types.ts';
import { explainWayOut } from './untaken.ts';

export type TakenUp =
  | { readonly kind: 'yes' }
  /** It certainly lacks some of its modules. `isExact`: `missing` is what it lacks; else also what its kernel keeps. */
  | { readonly kind: 'no'; readonly missing: Bytes; readonly isExact: boolean }
  /** It lacks more than a kernel usually keeps for itself. */
  | { readonly kind: 'perhaps'; readonly missing: Bytes }
  /** It has said nothing since its boot, or since its modules changed. `silentMs` null: nothing in this boot. */
  | { readonly kind: 'unheard'; readonly silentMs: number | null };

const modulesOf = ({ layout }: Located): Bytes => sumBytes(layout.modules.map(({ size }) => size));
const bootOf = ({ layout }: Located): Bytes => sumBytes(layout.boot.map(({ size }) => size));

/**
 * Judges the guest's own total. The balloon is empty (balloon.ts).
 * @param isConfirmed whether it is known already that it took up what was plugged last
 */
export function judgeTakenUp(located: Located, block: Bytes, isConfirmed: boolean): TakenUp {
  const { layout, observation } = located;
  const { guest, unchangedSinceMs, observedAtMs } = observation;
  const modules = modulesOf(located);
  if (modules === 0) return { kind: 'yes' };
  if (guest?.ofThisBoot !== true) return { kind: 'unheard', silentMs: null };

  const { total, totalWithoutModules, reportedAtMs } = guest;
  const shortfall = judgeTotal({
    ...{ boot: bootOf(located), modules, others: layout.otherTotal, block },
    ...{ total, withoutModules: totalWithoutModules },
  });
  // Only what was plugged can have made it that much: then it doesn't matter when it said so.
  if (shortfall.kind === 'none' && totalWithoutModules !== null) return { kind: 'yes' };
  const isSince =
    isConfirmed ||
    unchangedSinceMs === null ||
    isAfter({ reportedAtMs, answersAtMs: null }, { atMs: unchangedSinceMs });
  if (!isSince) return { kind: 'unheard', silentMs: Math.max(0, observedAtMs - reportedAtMs) };
  switch (shortfall.kind) {
    case 'none':
      return { kind: 'yes' };
    case 'possible':
      return { kind: 'perhaps', missing: shortfall.missing };
    case 'certain': {
      const { missing, isExact } = shortfall;
      // An older agent doesn't say for how long: a module may have come this moment.
      return unchangedSinceMs === null ? { kind: 'perhaps', missing } : { kind: 'no', missing, isExact };
    }
    default:
      return shortfall satisfies never;
  }
}

/** What is said of a guest that certainly lacks memory. */
export function explainShort({ missing, isExact }: Extract<TakenUp, { kind: 'no' }>, located: Located): string {
  if (isExact)
    return `the guest has not onlined ${formatMeasured(missing)} of its modules; ${explainWayOut(located, missing)}`;
  const total = located.observation.guest?.total ?? missing;
  const most = mostKept(bootOf(located), modulesOf(located));
  return `${explainTotal(total, missing, most)}; ${explainWayOut(located, missing)}`;
}

/** What nobody knows of what the guest has, to be added to what is said; '' where all is known. */
export function explainUnknown(taken: TakenUp, located: Located): string {
  switch (taken.kind) {
    case 'yes':
      return '';
    case 'no':
      return `; ${explainShort(taken, located)}`;
    case 'perhaps': {
      const total = formatMeasured(located.observation.guest?.total ?? taken.missing);
      return `; its own total is ${total}: whether its kernel keeps the other ${formatMeasured(taken.missing)} (as for crashkernel) or has not onlined some of that is not known`;
    }
    case 'unheard': {
      const silence = taken.silentMs === null ? 'reports no statistics' : `has reported nothing since`;
      return `; it ${silence}, so whether it has taken up what was plugged is not known`;
    }
    default:
      return taken satisfies never;
  }
}

/** What is said where that must be known, with the way out. */
export function explainUnheard({ silentMs }: Extract<TakenUp, { kind: 'unheard' }>, { layout }: Located): string {
  const what = `the VM has ${formatQuantity(computeCurrent(layout))}, but the guest`;
  const so = 'so whether it has taken up what was plugged is not known';
  return silentMs === null
    ? `${what} reports no statistics, ${so}: ${explainSilence(layout.balloonDevice)}; or set guestSafety to BestEffort`
    : `${what} has not reported its memory for ${Math.round(silentMs / 1000)} s, ${so}: see whether it hangs`;
}

/** What nobody has judged of a plan that plugs, to be added to its message; '' where all was judged, or nothing is plugged. */
export function explainUnjudgedPlan(plan: Plan, { observation, hostName, facts }: Located): string {
  const plugged = plan.steps.reduce((sum, step) => (step.operation === 'plug' ? sum + step.size : sum), 0);
  if (plugged === 0) return '';
  const host =
    facts === null ? `; what host ${hostName} has left is not known: its agent judges that when it plugs` : '';
  const { guest, observedAtMs } = observation;
  if (guest?.fresh === true) return host;
  const silence =
    guest?.ofThisBoot === true
      ? `has not reported its memory for ${Math.round(Math.max(0, observedAtMs - guest.reportedAtMs) / 1000)} s`
      : 'reports no statistics';
  const map = formatNeeded(memoryMapOf(bytes(plugged)));
  return `; the guest ${silence}: whether it has the ${map} that the memory map of what is plugged takes is not known${host}`;
}
