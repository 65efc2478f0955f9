/**
 * Texts that many cached objects have are kept once: each object comes with copies of its own of the words that all statuses are
 * made of, and has one time a dozen times (docs/adr/0064-what-ten-thousand-take.md).
 */

/** Longer texts are seldom the same. */
const longest = 64;
/** After so many different texts the pool begins anew: what is in all objects is soon in it again. */
const most = 4_096;

/** See the file's comment. */
export class SharedStrings {
  readonly #pool = new Map<string, string>();

  /** Puts equal texts in the place of those in `value`, a tree that nobody else has. */
  share(value: object): void {
    const members = value as Record<string, unknown>;
    for (const name in members) {
      const member = members[name];
      if (typeof member === 'string') {
        if (member.length <= longest) members[name] = this.#shared(member);
      } else if (typeof member === 'object' && member !== null) this.share(member);
    }
  }

  #shared(text: string): string {
    const known = this.#pool.get(text);
    if (known !== undefined) return known;
    if (this.#pool.size >= most) this.#pool.clear();
    this.#pool.set(text, text);
    return text;
  }
}
