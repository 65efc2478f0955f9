/** The phase of a reconcile that has the stored definition written, once the running VM has its size. */
import { isConverged } from '../verdict.ts';
import { isToBeStored } from '../persisted.ts';
import type { FailedStores } from '../failed-stores.ts';
import type { ReconcileScope } from '../scope.ts';
import type { NotStored } from '../types.ts';
import { type ActContext, mayAct } from './act.ts';
import { store } from './execute.ts';
import { judgeVerdict } from './summarise.ts';

export type PersistContext = ActContext & { readonly failedStores: FailedStores };

/** Has the modules of the running VM written to its stored definition. What fails is told, and fails nothing else. */
export async function persist(scope: ReconcileScope, context: PersistContext): Promise<void> {
  const { judgement, mode, key, resource, deadlineMs } = scope;
  const { clock, failedStores, hosts, logger, clusterId } = context;
  if (judgement === null || mode.kind !== 'act' || deadlineMs !== null || !isToBeStored(judgement)) return;
  if (!isConverged(judgeVerdict(scope, clock.now()))) return;
  const known = failedStores.find(key, judgement);
  if (known !== null && !scope.retryNow && clock.now() < known.againAtMs) {
    scope.notStored = known;
    return;
  }
  const entry = hosts.get(judgement.located.hostName);
  if (entry === undefined) return;
  const { changes } = entry.line;
  const leave = changes.tryTake() ?? (await context.inLine(() => changes.take(context.urgency, context.signal)));
  if (leave === null) return;
  try {
    if (!mayAct(scope, judgement, entry, context)) return;
    const answer = await context.aside(() => store(judgement, { resource, clusterId, logger }));
    if (answer.ok) {
      failedStores.forget(key);
      scope.sawStored(answer.value.stored);
      return;
    }
    const { error } = answer;
    logger.warn({ code: error.code, err: error.cause }, 'stored definition could not be written');
    scope.notStored = failedStores.remember(key, judgement, error, clock.now());
  } finally {
    leave();
  }
}

/** When to look again at what could not be written; `ms`: when that would be else. */
export const soonEnoughFor = (notStored: NotStored | null, ms: number, nowMs: number): number =>
  notStored === null ? ms : Math.min(ms, Math.max(0, notStored.againAtMs - nowMs));
