/** Changes of memory as every agent makes them: one at a time on a domain, and each leaves a record of what became of it. */
import type { HostAnswer, HostError } from '../host/errors.ts';
import { fail } from '../memory/result.ts';
import type {
  PersistAnswer,
  PersistRequest,
  PlugAnswer,
  PlugRequest,
  ReleaseAnswer,
  ReleaseRequest,
  UnplugAnswer,
  UnplugRequest,
} from '../host/port.ts';
import type { AuditRecord } from './audit.ts';
import type { KeyedMutex } from '../runtime/keyed-mutex.ts';
import type { Actor, ServiceParts } from './service.ts';

/** The guest's total before a change, and after it if it is carried out; filled in as they become known. */
export type Totals = { from: number | null; to: number | null };

/** Runs `act` under the lock of the domain and records what became of it. An exception in it becomes an answer. */
export type RecordedChange = <T extends PlugAnswer | UnplugAnswer | PersistAnswer | ReleaseAnswer>(
  operation: Exclude<AuditRecord['operation'], 'repair'>,
  uuid: string,
  request: PlugRequest | UnplugRequest | PersistRequest | ReleaseRequest,
  actor: Actor | undefined,
  act: (totals: Totals) => Promise<HostAnswer<T>>,
) => Promise<HostAnswer<T>>;

/** For callers in the same process. */
const ownActor: Actor = { client: 'in-process', requestId: '-' };

/**
 * A {@link RecordedChange} for the domains that `mutex` locks.
 * @param toHostError what an exception in the middle of a change means for the caller
 */
export function createRecordedChange(
  { clock, logger, audit, onOperation }: Pick<ServiceParts, 'clock' | 'logger' | 'audit' | 'onOperation'>,
  mutex: KeyedMutex,
  toHostError: (error: unknown) => HostError,
): RecordedChange {
  return async (operation, uuid, request, actor = ownActor, act) => {
    const startedAt = clock.now();
    const totals: Totals = { from: null, to: null };
    const answer = await mutex.run(uuid, async () => {
      try {
        return await act(totals);
      } catch (error) {
        logger.error({ uuid, requestId: actor.requestId, err: describe(error) }, 'change failed unexpectedly');
        return fail(toHostError(error));
      }
    });
    const durationMs = clock.now() - startedAt;
    const result: AuditRecord['result'] = answer.ok
      ? operation === 'unplug'
        ? 'accepted'
        : 'done'
      : answer.error.code;
    const { clusterId, objectUid, namespace, generation } = request;
    const slot = 'slot' in request ? request.slot : null;
    const who = { client: actor.client, requestId: actor.requestId };
    const what = { uuid, slot, clusterId, objectUid, namespace, generation };
    const to = answer.ok || answer.error.code === 'outcome-unknown' ? totals.to : null;
    audit({ operation, ...who, ...what, from: totals.from, to, result, durationMs });
    onOperation?.(operation, answer.ok ? 'ok' : answer.error.code, durationMs);
    return answer;
  };
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
