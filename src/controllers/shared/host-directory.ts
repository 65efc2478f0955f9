/** The hosts that the controller knows, following their resources, and who hears of their events. */
import { isDeepStrictEqual } from 'node:util';
import { parseHostLimits } from '../../api/v1alpha1/spec.ts';
import type { HypervisorHost } from '../../api/v1alpha1/hypervisor-host.ts';
import type { Host } from '../../host/port.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ResourceSource } from '../../runtime/resources.ts';
import { sleep } from '../../runtime/sleep.ts';
import { HostEntry, type HostListener } from './host-entry.ts';

const askAnewEveryMs = 1_000;

export type HostDirectoryOptions = {
  readonly source: ResourceSource<HypervisorHost>;
  /** Makes the connection; called again when the address or the server name changes. */
  readonly connect: (resource: HypervisorHost) => Host;
  /** Whether a change of a host's labels is one that its agent hears of: the connection is made anew. Left out: none is. */
  readonly isServedAnew?: (before: HypervisorHost, now: HypervisorHost) => boolean;
  readonly listener: HostListener;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** All hosts, following their resources between `open` and `close`. */
export class HostDirectory {
  readonly #options: HostDirectoryOptions;
  readonly #entries = new Map<string, HostEntry>();
  /** When all were last asked anew what they run, by the monotonic clock, and the next time that they will be. */
  #askedAnewMs = -Infinity;
  #askAnew: Promise<void> | null = null;
  readonly #closing = new AbortController();
  #unfollow = (): void => undefined;

  constructor(options: HostDirectoryOptions) {
    this.#options = options;
  }

  /** Connects to the hosts that there are and come; there are none before. */
  open(): void {
    const { source } = this.#options;
    for (const resource of source.list()) this.#update(resource.metadata.name, resource);
    this.#unfollow = source.onChange(({ key, current }) => this.#update(key, current));
  }

  /** False until the first complete set of hosts has arrived. */
  get synced(): boolean {
    return this.#options.source.synced;
  }

  get(name: string): HostEntry | undefined {
    return this.#entries.get(name);
  }

  list(): readonly HostEntry[] {
    return [...this.#entries.values()];
  }

  /**
   * Resolves when nothing is held of what the hosts run that they said before this was called: the next question asks all
   * of them. At most once a second, for all that wait for it.
   */
  forgetAllDomains(): Promise<void> {
    this.#askAnew ??= this.#forgetAll();
    return this.#askAnew;
  }

  async #forgetAll(): Promise<void> {
    const { clock } = this.#options;
    const waitMs = Math.max(0, Math.ceil(this.#askedAnewMs + askAnewEveryMs - clock.monotonic()));
    await (waitMs > 0 ? sleep(clock, waitMs, this.#closing.signal) : undefined);
    this.#askAnew = null;
    this.#askedAnewMs = clock.monotonic();
    for (const entry of this.list()) entry.forgetDomains();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#unfollow();
    await Promise.all(this.list().map((entry) => entry.close()));
    this.#entries.clear();
  }

  #update(name: string, resource: HypervisorHost | undefined): void {
    const { listener, connect, isServedAnew = () => false, clock, logger } = this.#options;
    const before = this.#entries.get(name);
    const isSame =
      before !== undefined &&
      resource !== undefined &&
      !isServedAnew(before.resource, resource) &&
      before.resource.spec.address === resource.spec.address &&
      before.resource.spec.tlsServerName === resource.spec.tlsServerName;
    if (isSame) {
      const { generation, labels } = before.resource.metadata;
      const now = resource.metadata;
      const changed = generation !== now.generation || !isDeepStrictEqual(labels, now.labels);
      before.resource = resource;
      before.limits = parseHostLimits(resource.spec);
      before.line.admit();
      if (changed) listener.onHost(name);
      return;
    }
    if (before !== undefined) {
      this.#entries.delete(name);
      before.close().catch((error: unknown) => logger.warn({ host: name, err: error }, 'closing a host failed'));
    }
    if (resource !== undefined) {
      this.#entries.set(name, new HostEntry(resource, connect(resource), listener, clock));
    }
    listener.onHost(name);
  }
}
