/** What the agent serves: the host port, plus what only the agent's own front needs. */
import type { HostAnswer } from '../host/errors.ts';
import type {
  DomainObservation,
  Host,
  PersistAnswer,
  PersistRequest,
  PlugAnswer,
  PlugRequest,
  ReleaseAnswer,
  ReleaseRequest,
  UnplugAnswer,
  UnplugRequest,
} from '../host/port.ts';
import type { Leader } from '../memory/leader.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Audit, AuditRecord } from './audit.ts';
import type { EventLog } from './event-log.ts';

/** On whose behalf a change is made, for the audit record. */
export type Actor = {
  /** The allowed URI of the client's certificate, or a name for callers in the same process. */
  readonly client: string;
  readonly requestId: string;
};

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly problem: string };

export interface HostService extends Host {
  /** Every admitted domain as {@link Host.observe} shows it. A domain that vanishes meanwhile is left out. */
  observeAll(): Promise<HostAnswer<readonly DomainObservation[]>>;
  /**
   * Those of these domains that can be observed at once: what can't be, or takes longer than others should wait for, is
   * left out, and {@link Host.observe} says why.
   */
  observeSome(uuids: readonly string[]): Promise<readonly DomainObservation[]>;
  plug(uuid: string, revision: string, request: PlugRequest, actor?: Actor): Promise<HostAnswer<PlugAnswer>>;
  unplug(uuid: string, revision: string, request: UnplugRequest, actor?: Actor): Promise<HostAnswer<UnplugAnswer>>;
  persist(uuid: string, revision: string, request: PersistRequest, actor?: Actor): Promise<HostAnswer<PersistAnswer>>;
  releaseClaim(
    uuid: string,
    revision: string,
    request: ReleaseRequest,
    actor?: Actor,
  ): Promise<HostAnswer<ReleaseAnswer>>;
  /** A leader makes itself known: what an earlier one of the same election sends is refused from now on. */
  lead(leader: Leader): HostAnswer<null>;
  /** Whether the hypervisor can be reached. */
  readiness(): Readiness;
}

/** A service as the program runs it, whatever drives the VMs. {@link Host.close} waits for changes in hand. */
export interface RunnableService extends HostService {
  /** Changes under way or waiting for the lock of their domain. */
  readonly pendingOperations: number;
  /** Connects to the hypervisor and stays connected; what it tells goes into the event log from now on. */
  start(): void;
  /** Resolves when all domains were looked at for the first time, or on the signal. */
  whenReady(signal: AbortSignal): Promise<void>;
}

/** What every service is made of, whatever drives the VMs. */
export type ServiceParts = {
  readonly events: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit: Audit;
  readonly agentVersion: string;
  /** Called when a change has ended, with its outcome: `ok` or the code of the error. */
  readonly onOperation?: (operation: AuditRecord['operation'], outcome: string, durationMs: number) => void;
};
