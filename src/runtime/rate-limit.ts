/** A token bucket for each address that strangers come from: who may not use the agent must not keep it busy. */

/** Requests a second that a stranger may keep up, and how many it may send at once. */
const ratePerSecond = 20;
const burst = 60;
/** More addresses than this are no crowd of probes: those with a full bucket are forgotten. */
const maxAddresses = 1_024;

type Bucket = { readonly tokens: number; readonly atMs: number };

export class RateLimit {
  readonly #buckets = new Map<string, Bucket>();

  /** Whether who is at `address` may send a request now. */
  take(address: string, nowMs: number): boolean {
    const tokens = tokensAt(this.#buckets.get(address) ?? { tokens: burst, atMs: nowMs }, nowMs);
    const allowed = tokens >= 1;
    this.#buckets.set(address, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs });
    if (this.#buckets.size > maxAddresses) this.#forgetFull(nowMs);
    return allowed;
  }

  #forgetFull(nowMs: number): void {
    for (const [address, bucket] of this.#buckets) {
      if (tokensAt(bucket, nowMs) >= burst) this.#buckets.delete(address);
    }
  }
}

const tokensAt = ({ tokens, atMs }: Bucket, nowMs: number): number =>
  Math.min(burst, tokens + Math.max(0, nowMs - atMs) * (ratePerSecond / 1000));
