/**
 * Which of several controllers is there for a host, and so for what runs on it. Without shards this one is there for all
 * (docs/adr/0041-shards.md).
 */
import type { HypervisorHost } from '../../api/v1alpha1/hypervisor-host.ts';
import type { Charge } from '../../host/port.ts';
import type { Reason } from '../../api/v1alpha1/reasons.ts';
import { describeShard, isFirstShard, judgeHostShard, type ShardSource } from '../../api/v1alpha1/shards.ts';

/**
 * How long the shards must have been the same before it is said that none of them is there for a host: while they are
 * started, between two processes of one, and where a Lease is deleted that its holder makes anew, some are missing.
 */
const settleMs = 15_000;

/** What is said of a host, and of what runs there, where nobody acts. */
export type Unserved = {
  readonly reason: Extract<Reason, 'ShardConflict' | 'NoShard'>;
  readonly message: string;
  /** For the log and the status of the host: names of Leases are nothing to a tenant. */
  readonly adminDetail: string;
};

export type Share =
  /** This controller acts there. */
  | { readonly kind: 'own' }
  /** Another does, and says how it is. */
  | { readonly kind: 'other' }
  /** It isn't known yet: to be asked again in `ms`. */
  | { readonly kind: 'unsettled'; readonly ms: number }
  /** Nobody does, and this one says so. */
  | { readonly kind: 'unserved'; readonly unserved: Unserved };

const own: Share = { kind: 'own' };
const other: Share = { kind: 'other' };

const noShard: Unserved = {
  reason: 'NoShard',
  message: 'no shard of the controller is there for this host, so that nothing is changed on it',
  adminDetail: 'no --shard-selector matches its labels: label the host, or start a shard that matches it',
};

/** See the file's comment. */
export class Shards {
  readonly #source: ShardSource | null;

  /** @param source null: there are none */
  constructor(source: ShardSource | null) {
    this.#source = source;
  }

  /** Whether there are others that this controller leaves something to. */
  get shared(): boolean {
    return this.#source !== null;
  }

  /** Whose `host` is; undefined: what has no host, or several. */
  shareOf(host: Pick<HypervisorHost, 'metadata'> | undefined): Share {
    const source = this.#source;
    if (source === null) return own;
    const shards = source.list();
    const isFirst = isFirstShard(shards, source.own);
    if (host === undefined) return isFirst ? own : other;
    const judged = judgeHostShard(host, shards, source.own);
    switch (judged.kind) {
      case 'own':
      case 'other':
        return judged;
      case 'conflict': {
        const names = judged.shards.map(describeShard).join(', ');
        const adminDetail = `matched by the selectors of ${names}: change one, or the labels of the host`;
        const message = 'several shards of the controller are there for this host, so that none changes anything on it';
        return isFirst ? { kind: 'unserved', unserved: { reason: 'ShardConflict', message, adminDetail } } : other;
      }
      case 'none': {
        const leftMs = settleMs - source.unchangedMs();
        if (leftMs > 0) return { kind: 'unsettled', ms: Math.ceil(leftMs) };
        return isFirst ? { kind: 'unserved', unserved: noShard } : other;
      }
      default:
        return judged satisfies never;
    }
  }

  /** By what this controller may change something on `host`; null: it may not. */
  chargeOf(host: HypervisorHost | undefined): Charge | null {
    return host !== undefined && this.mayAct(host) ? { hostVersion: Number(host.metadata.resourceVersion) } : null;
  }

  /** Whether this controller may change something on `host` now. */
  mayAct(host: Pick<HypervisorHost, 'metadata'> | undefined): boolean {
    return host !== undefined && this.shareOf(host).kind === 'own';
  }

  /** Tells when what was said of a host may not be so any more, until the returned function is called. */
  onChange(listener: () => void): () => void {
    return this.#source?.onChange(listener) ?? (() => undefined);
  }
}
