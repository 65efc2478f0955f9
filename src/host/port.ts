/**
 * The port: what reconciling needs of a hypervisor host, and no more. The HTTPS client, the agent's own service and
 * the simulated host implement it; the reconciler doesn't know which one it holds. What it takes and gives has the
 * shapes of the agent's API (http/api/), which say what each member means.
 *
 * Observing never changes anything. Changes are guarded by the revision they were planned from and by the claim.
 */
import type { Claim } from '../memory/operation-state.ts';
import type { Leader } from '../memory/leader.ts';
import type { Of } from '../memory/shape.ts';
import type { HostAnswer } from './errors.ts';
import type {
  domainObservation,
  domainSummary,
  guestStatistics,
  persistAnswer,
  plugAnswer,
  releaseAnswer,
  unplugAnswer,
} from './http/api/domain.ts';
import type { hostFacts } from './http/api/host.ts';
import type { memoryLayout, observedModule } from './http/api/layout.ts';
import type { persistRequest, plugRequest, releaseQuery, unplugQuery } from './http/api/requests.ts';
import type { storedMemory } from './http/api/stored.ts';

export type HostFacts = Of<typeof hostFacts>;
/** Memory of one NUMA node of the host. */
export type HostNode = HostFacts['nodes'][number];
/** What the kernel tells of huge pages of one size for the whole host only. Counts of pages. */
export type HugepagePool = HostFacts['hugepagePools'][number];
export type DomainSummary = Of<typeof domainSummary>;
export type DomainState = DomainSummary['state'];
/** A plugged module as observed. */
export type ObservedModule = Of<typeof observedModule>;
/** What callers learn of a mark: the rest of it is the module itself. */
export type ObservedMark = NonNullable<ObservedModule['mark']>;
/** The guest's own view of its memory. */
export type GuestStatistics = Of<typeof guestStatistics>;
/** The memory of a running domain. */
export type MemoryLayout = Of<typeof memoryLayout>;
/** What stands behind new modules of some guest nodes. */
export type LayoutBacking = MemoryLayout['backings'][number];
/** What a VM would be started with. */
export type StoredMemory = Of<typeof storedMemory>;
/** A domain as observed. `layout` is null when no QEMU process runs. */
export type DomainObservation = Of<typeof domainObservation>;

/** Which leader asks; absent: a controller that takes part in no election. It travels as a header. */
type Led = { readonly leader?: Leader };
export type PlugRequest = Of<typeof plugRequest> &
  Led & {
    /** The next plug of the same plan follows at once: nobody reads what this one has led to. It travels as a header. */
    readonly isMidway?: boolean;
  };
export type UnplugRequest = Of<typeof unplugQuery> & Led & { readonly slot: number };
/** Who asks for a change; see {@link Claim}. */
export type ClaimRequest = Claim & Pick<PlugRequest, 'replacesUid'>;
export type ReleaseRequest = Of<typeof releaseQuery> & Led;
export type PersistRequest = Of<typeof persistRequest> & Led;
export type PersistAnswer = Of<typeof persistAnswer>;
export type PlugAnswer = Of<typeof plugAnswer>;
export type UnplugAnswer = Of<typeof unplugAnswer>;
export type ReleaseAnswer = Of<typeof releaseAnswer>;

/** What has happened to one VM. */
export type DomainEventKind = 'lifecycle' | 'module-added' | 'module-removed' | 'module-refused' | 'statistics';

/** What a host tells without being asked. Every event is a hint to observe, never a fact to compute with. */
export type HostEvent =
  /** `id`: its place among the host's events (event-order.ts); absent: not known. */
  | { readonly kind: DomainEventKind; readonly uuid: string; readonly id?: string }
  /** Events may have been lost, or the stream has just begun: look at everything once. */
  | { readonly kind: 'reset' }
  /** The stream broke; a `reset` follows when it is back. */
  | { readonly kind: 'lost'; readonly error: string };

/** What a controller that takes part in an election knows of its own right to act. */
export interface Leadership {
  /** The leader that it is, by its own clock at this moment; null: it isn't, or can't be sure. */
  current(): Leader | null;
  /** A host has refused it for a newer one, whose epoch this is if the host says so: it is to make sure. */
  refused(newestEpoch: number | undefined): void;
}

/** By what a controller that shares the hosts with others is there for one of them (docs/adr/0041-shards.md). */
export type Charge = {
  /** The resourceVersion of the HypervisorHost that says so. */
  readonly hostVersion: number;
};

/**
 * A look is given up when its `signal` is aborted, where there is something to be given up; its answer is `timeout`
 * then. A change takes no signal: once it is on its way nobody could say whether it was made
 * (docs/adr/0027-what-is-under-way-can-be-ended.md).
 */
export interface Host {
  /** Versions, capacity, free memory. */
  facts(signal?: AbortSignal): Promise<HostAnswer<HostFacts>>;
  /** Running and defined VMs that the agent admits. */
  listDomains(signal?: AbortSignal): Promise<HostAnswer<readonly DomainSummary[]>>;
  /** One domain as it is now; `not-found` when it isn't there or isn't admitted. */
  observe(uuid: string, signal?: AbortSignal): Promise<HostAnswer<DomainObservation>>;
  /**
   * Plugs one module. Fails with `stale-revision` when the domain isn't as `revision` says. An answer may hold the
   * observation after the change.
   */
  plug(uuid: string, revision: string, request: PlugRequest): Promise<HostAnswer<PlugAnswer>>;
  /** Asks the guest to give one module up. Accepted is not done. */
  unplug(uuid: string, revision: string, request: UnplugRequest): Promise<HostAnswer<UnplugAnswer>>;
  /** Gives the claim up, whose holder goes; the memory stays as it is. Agents of 0.1.0 know no such thing. */
  releaseClaim(uuid: string, revision: string, request: ReleaseRequest): Promise<HostAnswer<ReleaseAnswer>>;
  /**
   * Makes the modules of the running VM those of its stored definition, and touches nothing else of it. `rejected` where
   * that may not be, as the observation says. Older agents know no such thing.
   */
  persist(uuid: string, revision: string, request: PersistRequest): Promise<HostAnswer<PersistAnswer>>;
  /**
   * Delivers events until the returned function is called; begins with `reset` (or `lost`). `leadership`: the host
   * learns of this leader by it, and refuses what an earlier one sends from then on.
   */
  watch(listener: (event: HostEvent) => void, leadership?: Leadership): () => void;
  /** Ends connections. */
  close(): Promise<void>;
}
