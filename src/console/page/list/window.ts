/** Which rows of a long list are drawn: those that are seen, and a few around them. Pure. */

export type Window = { readonly first: number; readonly last: number; readonly before: number; readonly after: number };

/** Rows drawn above and below what is seen, so that a quick scroll finds them there. */
const spare = 4;

/** @param top how far is scrolled, pixels; negative or beyond the end: as far as there is @param height of what is seen */
export function windowOf(count: number, rowHeight: number, top: number, height: number): Window {
  const seen = Math.max(1, Math.ceil(height / rowHeight));
  const first = Math.max(0, Math.min(count - seen, Math.floor(top / rowHeight)) - spare);
  const last = Math.min(count, Math.max(0, first) + seen + 2 * spare);
  return { first, last, before: first * rowHeight, after: Math.max(0, count - last) * rowHeight };
}
