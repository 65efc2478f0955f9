/** The host's memory, and what VMs have been promised of it. */
import type { HostError } from '../host/errors.ts';
import { type HostCapacity, judgeHostMemory, withPromised } from '../host/rules/capacity.ts';
import type { PlugRequest } from '../host/port.ts';
import { type Bytes, sumBytes } from '../memory/bytes.ts';
import type { HostMemoryReading } from './driver.ts';
import { fail, type Result, succeed } from '../memory/result.ts';

/** Gives a reservation back. */
export type EndReservation = () => void;

/**
 * The host-wide guard. Judging and reserving happen in one go without waiting in between, so that of two plugs at the
 * same time the second sees what the first was promised: the lock of the host.
 */
export class HostMemory {
  readonly #read: () => HostMemoryReading;
  readonly #committed = new Map<string, Bytes>();
  readonly #reserved = new Set<{ readonly size: Bytes; readonly pageSize: Bytes | null }>();

  /** Page size behind "huge pages" that name none; null: the host has none. */
  readonly defaultHugePageSize: Bytes | null;

  constructor(read: () => HostMemoryReading) {
    this.#read = read;
    this.defaultHugePageSize = read().defaultHugePageSize;
  }

  /** What the running domain `uuid` has been promised; 0 for one that no longer runs. */
  setCommitted(uuid: string, size: Bytes): void {
    if (size === 0) this.#committed.delete(uuid);
    else this.#committed.set(uuid, size);
  }

  /** Forgets all domains, before they are listed anew. */
  clear(): void {
    this.#committed.clear();
  }

  /** The host as it is now, less what is being plugged. */
  facts(): HostCapacity {
    const { total, available, nodes, hugepagePools } = this.#read();
    const committed = sumBytes([...this.#committed.values()]);
    const now: HostCapacity = { memory: { total, available, committed }, nodes, hugepagePools };
    return [...this.#reserved].reduce((host, { size, pageSize }) => withPromised(host, size, pageSize), now);
  }

  /** Reserves the module's memory until it is counted as committed, or says why the host can't carry it. */
  reserve(request: PlugRequest, pageSize: Bytes | null): Result<EndReservation, HostError> {
    const error = judgeHostMemory(this.facts(), request, pageSize);
    if (error !== null) return fail(error);
    const entry = { size: request.size, pageSize };
    this.#reserved.add(entry);
    return succeed(() => void this.#reserved.delete(entry));
  }
}
