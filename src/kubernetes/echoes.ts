/**
 * Most of what a watch tells is the echo of what we have written, and learned from the answer: it is known by its
 * resourceVersion, which no other change has, before its line is read (docs/adr/0065-no-hot-spot-is-left.md).
 */
import { keyOf, type Resource, type ResourceKey } from '../runtime/resources.ts';

/** Longer than the watch is behind us; what is pushed out is read as any other line. */
const most = 4_096;

/** As the API server writes it, whose members are in order. In a text of the object's its quotes would be escaped. */
const member = '"resourceVersion":"';
const changed = /^\{"type":"(?:MODIFIED|ADDED)",/;

type Echo = { readonly key: ResourceKey; readonly uid: string; readonly resourceVersion: string };

/** See the file's comment. */
export class Echoes {
  readonly #expected = new Map<string, Echo>();

  /** We have written this. */
  expect(written: Resource): void {
    const { uid, resourceVersion } = written.metadata;
    this.#expected.set(resourceVersion, { key: keyOf(written), uid, resourceVersion });
    const [oldest] = this.#expected.keys();
    if (oldest !== undefined && this.#expected.size > most) this.#expected.delete(oldest);
  }

  /** What a line of a watch is the echo of; null: of nothing, or that isn't known. Each is found once. */
  find(line: string): Echo | null {
    if (this.#expected.size === 0 || !changed.test(line)) return null;
    const at = line.indexOf(member);
    if (at === -1) return null;
    const from = at + member.length;
    const until = line.indexOf('"', from);
    const echo = this.#expected.get(line.slice(from, until));
    if (echo === undefined || !line.startsWith(`","uid":"${echo.uid}"`, until)) return null;
    this.#expected.delete(echo.resourceVersion);
    return echo;
  }

  /** Another history may have begun, in which the same versions are of other changes. */
  forget(): void {
    this.#expected.clear();
  }
}
