/**
 * Takes a document apart before it is read: what nobody asks for is left out, and what is the same as in the document
 * before can be told by its text. A parser that looks at every character costs the agent more than all the rest of a
 * look at a domain.
 */
import { walkXml } from './well-formed.ts';
import { fail, type Result, succeed } from '../../memory/result.ts';

/** Elements that are taken apart, by the names of what is wanted inside, prefixes included; `*` is any other. */
export type Outline = ReadonlyMap<string, Outline | 'whole'>;

/** A piece of a document; each text is an element by itself, and well-formed. */
export type XmlPart = {
  /** An element with everything in it; or without its elements, of which `parts` has those that are wanted. */
  readonly text: string;
  readonly parts: readonly XmlPart[];
};

type Frame = { readonly outline: Outline; text: string; readonly parts: XmlPart[] };

/** Builds the parts while the document is walked through. */
class Cutter {
  readonly #text: string;
  readonly #outline: Outline | 'whole';
  readonly #frames: Frame[] = [];
  /** The element that isn't taken apart: where it begins, whether it is wanted, and how many are open in it. */
  #start = 0;
  #wanted = false;
  #inside = 0;
  root: XmlPart | null = null;

  constructor(text: string, outline: Outline | 'whole') {
    this.#text = text;
    this.#outline = outline;
  }

  open(name: string, start: number, end: number): void {
    if (this.#inside === 0) {
      const outer = this.#frames.at(-1)?.outline;
      const outline = outer === undefined ? this.#outline : (outer.get(name) ?? outer.get('*'));
      if (outline !== undefined && outline !== 'whole') {
        this.#frames.push({ outline, text: this.#text.slice(start, end), parts: [] });
        return;
      }
      this.#start = start;
      this.#wanted = outline !== undefined;
    }
    this.#inside += 1;
  }

  close(start: number, end: number): void {
    if (this.#inside > 0) {
      this.#inside -= 1;
      if (this.#inside === 0 && this.#wanted) this.#add({ text: this.#text.slice(this.#start, end), parts: [] });
      return;
    }
    const frame = this.#frames.pop();
    if (frame !== undefined) this.#add({ text: frame.text + this.#text.slice(start, end), parts: frame.parts });
  }

  text(start: number, end: number): void {
    const frame = this.#frames.at(-1);
    if (this.#inside === 0 && frame !== undefined) frame.text += this.#text.slice(start, end);
  }

  #add(part: XmlPart): void {
    const outer = this.#frames.at(-1);
    if (outer === undefined) this.root = part;
    else outer.parts.push(part);
  }
}

/**
 * The parts of a document that `outline` names, or what is wrong with it in words. The whole of it must be well-formed.
 * @param maxDepth elements in elements
 */
export function cutXml(text: string, outline: Outline | 'whole', maxDepth: number): Result<XmlPart, string> {
  const cutter = new Cutter(text, outline);
  const malformation = walkXml(text, maxDepth, cutter);
  if (malformation !== null) return fail(malformation);
  if (cutter.root === null) return fail('it is not one element');
  return succeed(cutter.root);
}
