/**
 * Order of resource versions. Kubernetes guarantees that those of one resource type are decimal numbers that grow
 * (KEP-5504, conformance since 1.35); another form is no order at all.
 */

const decimal = /^(0|[1-9][0-9]*)$/;

/** Whether `a` comes before `b`; undefined when that can't be said. */
export function isOlder(a: string, b: string): boolean | undefined {
  if (a === b) return false;
  if (!decimal.test(a) || !decimal.test(b)) return undefined;
  // Numbers without leading zeros: the longer is the larger, and of equal length text order is theirs.
  return a.length === b.length ? a < b : a.length < b.length;
}
