/** The host's memory, and what VMs have been promised of it. */
import type { HostError } from '../host/errors.ts';
import { type HostCapacity, judgeHostMemory, withPromised } from '../host/rules/capacity.ts';
import {
  type Holder,
  judgeNamespaceLimit,
  type NamespaceShares,
  sumByHolder,
  type Tenant,
} from '../host/rules/namespace-limit.ts';
import type { PlugRequest } from '../host/port.ts';
import { type Bytes, sumBytes, zeroBytes } from '../memory/bytes.ts';
import type { HostMemoryReading } from './driver.ts';
import { fail, type Result, succeed } from '../memory/result.ts';

/** What a plug under way will take, and for whom. */
type Reservation = {
  readonly uuid: string;
  readonly tenant: Tenant;
  readonly size: Bytes;
  readonly pageSize: Bytes | null;
};

/** Gives a reservation back. */
export type EndReservation = () => void;

/**
 * The host-wide guard. Judging and reserving happen in one go without waiting in between, so that of two plugs at the
 * same time the second sees what the first was promised: the lock of the host.
 */
export class HostMemory {
  readonly #read: () => HostMemoryReading;
  readonly #committed = new Map<string, { readonly size: Bytes; readonly holder: Holder | null }>();
  readonly #reserved = new Set<Reservation>();

  /** Page size behind "huge pages" that name none; null: the host has none. */
  readonly defaultHugePageSize: Bytes | null;

  constructor(read: () => HostMemoryReading) {
    this.#read = read;
    this.defaultHugePageSize = read().defaultHugePageSize;
  }

  /**
   * What the running domain `uuid` has been promised; 0 for one that no longer runs.
   * @param holder whose it is; null: nobody's; `unread`: that can't be read, and is what it was
   */
  setCommitted(uuid: string, size: Bytes, holder: Holder | null | 'unread'): void {
    if (size === 0) this.#committed.delete(uuid);
    else this.#committed.set(uuid, { size, holder: holder === 'unread' ? this.#vm(uuid).holder : holder });
  }

  /** The running domain `uuid` is about to be somebody's: it counts as theirs at once, whoever looks next. */
  setHolder(uuid: string, holder: Holder): void {
    const known = this.#committed.get(uuid);
    if (known !== undefined) this.#committed.set(uuid, { ...known, holder });
  }

  #vm(uuid: string): { readonly holder: Holder | null; readonly committed: Bytes } {
    const { size = zeroBytes, holder = null } = this.#committed.get(uuid) ?? {};
    return { holder, committed: size };
  }

  /** Forgets all domains, before they are listed anew. */
  clear(): void {
    this.#committed.clear();
  }

  /** The host as it is now, less what is being plugged. */
  facts(): HostCapacity {
    const { total, available, nodes, hugepagePools } = this.#read();
    const committed = sumBytes([...this.#committed.values()].map(({ size }) => size));
    const now: HostCapacity = { memory: { total, available, committed }, nodes, hugepagePools };
    return [...this.#reserved].reduce((host, { size, pageSize }) => withPromised(host, size, pageSize), now);
  }

  /** What VMs are promised by whose they are, with what is being plugged: a VM counts for whom it is being changed. */
  namespaces(): NonNullable<NamespaceShares> {
    const reserved = new Map([...this.#reserved].map((entry) => [entry.uuid, entry]));
    const running = [...this.#committed.keys()].map((uuid) => {
      const { holder, committed } = this.#vm(uuid);
      const { tenant, size } = reserved.get(uuid) ?? {};
      return { holder: tenant ?? holder, committed: committed + (size ?? 0) };
    });
    return sumByHolder(running);
  }

  /**
   * Reserves the module's memory until it is counted as committed, or says why the host can't carry it, or the namespace
   * may not have it. The caller holds the lock of the domain `uuid`.
   */
  reserve(uuid: string, request: PlugRequest, pageSize: Bytes | null): Result<EndReservation, HostError> {
    const { size, namespaceLimit: limit, clusterId, namespace } = request;
    const tenant = { clusterId, namespace };
    const error =
      (limit === undefined ? null : judgeNamespaceLimit(this.namespaces(), tenant, limit, this.#vm(uuid), size)) ??
      judgeHostMemory(this.facts(), request, pageSize);
    if (error !== null) return fail(error);
    const entry: Reservation = { uuid, tenant, size, pageSize };
    this.#reserved.add(entry);
    return succeed(() => void this.#reserved.delete(entry));
  }
}
