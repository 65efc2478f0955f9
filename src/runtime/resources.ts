/**
 * Where resources come from and where their status goes: the interfaces that a Kubernetes API server and a directory
 * of manifests both fulfil. Generic: runtime knows no resource of ours.
 */

/** What every resource has. */
export type Resource = {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation: number;
  };
};

/** A resource of which only the labels matter. */
export type LabelledResource = Resource & {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
};

/** `namespace/name`, or `name` for a resource without a namespace. */
export type ResourceKey = string;

export const keyOf = ({ metadata }: { readonly metadata: Named }): ResourceKey =>
  metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;

type Named = Pick<Resource['metadata'], 'name' | 'namespace'>;

/** `previous` absent: new; `current` absent: gone. */
export type ResourceChange<T> = {
  readonly key: ResourceKey;
  readonly previous: T | undefined;
  readonly current: T | undefined;
};

/** A live, complete set of resources of one kind. */
export interface ResourceSource<T extends Resource> {
  /** True once the first complete set has arrived; nothing is concluded from absence before. */
  readonly synced: boolean;
  get(key: ResourceKey): T | undefined;
  list(): readonly T[];
  /** Calls `listener` for every change, in order, until the returned function is called. */
  onChange(listener: (change: ResourceChange<T>) => void): () => void;
  /** Calls `listener` once, when (or if already) the first complete set has arrived. */
  onSynced(listener: () => void): void;
  /** Drops a cached object that proved stale (the writer got a conflict); the source reads it afresh. */
  refresh(key: ResourceKey): void;
}

/**
 * `written` carries the new resourceVersion; `conflict`: the object has changed since, look again (`current` is what it
 * is now, where that could be read); `gone`: it was deleted (or deleted and made anew).
 */
export type WriteResult<T extends Resource = Resource> =
  | { readonly outcome: 'written'; readonly resourceVersion: string }
  | { readonly outcome: 'conflict'; readonly current?: T }
  | { readonly outcome: 'gone' }
  | {
      readonly outcome: 'failed';
      readonly message: string;
      readonly retryable: boolean;
      /** The status itself was refused: the same one will be again. */
      readonly refused?: true;
    };

export interface StatusWriter<T extends Resource> {
  /**
   * Replaces the status of `resource`, provided that it still has the resourceVersion it was derived from. Once this
   * resolves as `written`, the source that the resource came from holds it too, so that nobody judges by the status
   * (a quarantine, say) that was just replaced.
   */
  write(resource: T, status: object): Promise<WriteResult<T>>;
}

export interface FinalizerWriter<T extends Resource> {
  /**
   * Replaces the finalizers of `resource`, provided that it still has the resourceVersion they were derived from. Once this
   * resolves as `written`, the source holds it too, unless the resource went with its last finalizer.
   */
  write(resource: T, finalizers: readonly string[]): Promise<WriteResult<T>>;
}

export type RecordedEvent = {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase; the same word as the condition's reason. */
  readonly reason: string;
  /** What was done or tried, such as `Plug`. */
  readonly action: string;
  readonly message: string;
};

export interface EventRecorder<T extends Resource> {
  /** Records an event about `resource`; never throws, never blocks; may drop under pressure. */
  record(resource: T, event: RecordedEvent): void;
}

/**
 * All that a controller needs of the place where its resources live: a cluster's API server, or a directory of manifests.
 * `M` are the resources about memory, `H` those about hosts.
 */
export interface ResourceHub<M extends Resource, H extends Resource> {
  readonly virtualMachineMemories: ResourceSource<M>;
  readonly hosts: ResourceSource<H>;
  /** Their labels say which hosts a namespace may use. */
  readonly namespaces: ResourceSource<LabelledResource>;
  readonly virtualMachineMemoryStatus: StatusWriter<M>;
  readonly virtualMachineMemoryFinalizers: FinalizerWriter<M>;
  readonly hostStatus: StatusWriter<H>;
  readonly events: EventRecorder<M | H>;
  /** What tells this place from any other, once {@link ResourceHub.start} has brought its resources. */
  clusterId(): Promise<string>;
  /** Begins to read, and goes on until closed. Resolves when every source has its first complete set; that may take for ever. */
  start(): Promise<void>;
  /** Ends reading; events that wait are given a moment. */
  close(): Promise<void>;
}
