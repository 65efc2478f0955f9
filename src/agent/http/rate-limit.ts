/** A token bucket per client: one that runs wild must not starve the others or libvirt. */

/** Requests a second that a client may keep up, and how many it may send at once. */
const ratePerSecond = 200;
const burst = 400;

export class RateLimit {
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  /** Whether the client may send a request now. Clients are the few that `--allow-client` names. */
  take(client: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(client) ?? { tokens: burst, atMs: nowMs };
    const refilled = Math.max(0, nowMs - bucket.atMs) * (ratePerSecond / 1000);
    const tokens = Math.min(burst, bucket.tokens + refilled);
    const allowed = tokens >= 1;
    this.#buckets.set(client, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs });
    return allowed;
  }
}
