/** How long a server that refuses wants to be left alone, by its `Retry-After`. */

/** RFC 9110, section 10.2.3: whole seconds, or a date. Milliseconds; null: neither. */
export function parseRetryAfter(value: string | readonly string[] | undefined, nowMs: number): number | null {
  if (typeof value !== 'string') return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
