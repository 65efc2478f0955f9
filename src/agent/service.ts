/** What the agent serves: the host port, plus what only the agent's own front needs. */
import type { HostAnswer } from '../host/errors.ts';
import type { DomainObservation, Host, PlugAnswer, PlugRequest, UnplugAnswer, UnplugRequest } from '../host/port.ts';

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
  plug(uuid: string, revision: string, request: PlugRequest, actor?: Actor): Promise<HostAnswer<PlugAnswer>>;
  unplug(uuid: string, revision: string, request: UnplugRequest, actor?: Actor): Promise<HostAnswer<UnplugAnswer>>;
  /** Whether the hypervisor can be reached. */
  readiness(): Readiness;
}
