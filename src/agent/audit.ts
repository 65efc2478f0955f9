/** One record a change, whatever became of it: who, for which object, from, to, result. Never a secret. */
import type { HostErrorCode } from '../host/errors.ts';
import type { Logger } from '../runtime/logger.ts';

export type AuditRecord = {
  /** `persist`: the modules are written to the stored definition. `release`: the claim is given up. `repair`: the agent takes away what a killed libvirtd forgot, on behalf of the claim that stands. */
  readonly operation: 'plug' | 'unplug' | 'persist' | 'release' | 'repair';
  /** The allowed URI of the client's certificate; `agent` for what the agent does by itself. */
  readonly client: string;
  readonly requestId: string;
  readonly uuid: string;
  /** null: it is about no module. */
  readonly slot: number | null;
  readonly clusterId: string;
  readonly objectUid: string;
  readonly namespace: string;
  readonly generation: number;
  /** The guest's total before the change, bytes; null: not known. */
  readonly from: number | null;
  /** What the total becomes when the change is done, bytes; null: nothing is changed, or not known. */
  readonly to: number | null;
  /** `accepted`: the guest was asked. */
  readonly result: 'done' | 'accepted' | HostErrorCode;
  readonly durationMs: number;
};

export type Audit = (record: AuditRecord) => void;

/** Records go to the log as lines with `audit: true`. */
export const auditTo =
  (logger: Logger): Audit =>
  (record) =>
    logger.info({ audit: true, ...record }, 'memory change');
