/**
 * A manifest becomes a template of Helm: values and whole pieces of it are replaced by what Helm fills in, the rest stays as it
 * was written, comments and all. A mark stands in the document until it is text.
 */
import { type Document, isMap, isScalar, isSeq, type Pair, Scalar, type YAMLMap, type YAMLSeq } from 'yaml';

const asWritten = { lineWidth: 120, flowCollectionPadding: false } as const;

type Path = readonly (string | number)[];

export type Template = {
  /** Puts an expression in the place of a value. */
  readonly fill: (path: Path, expression: string) => void;
  /** Puts lines in the place of a key and all below it. */
  readonly replace: (path: Path, lines: string) => void;
  /** Puts lines before and behind a key, as an `if` and its `end`. */
  readonly wrap: (path: Path, before: string, behind: string) => void;
  /** Puts lines behind the last entry of a map or list. */
  readonly append: (path: Path, lines: string) => void;
  /** Puts lines before a key; as its neighbour. */
  readonly insertBefore: (path: Path, lines: string) => void;
  readonly toText: () => string;
};

/** A template of one document, which it changes. */
export function templateOf(document: Document.Parsed): Template {
  const written = document.toString(asWritten);
  // Nothing of ours looks like Helm's, so nothing needs to be quoted for it.
  if (written.includes('{{')) throw new Error('a manifest holds {{, which Helm would take for its own');
  const fillings: string[] = [];
  const blocks: string[] = [];
  const blockMark = (lines: string): string => `HELM_BLOCK_${blocks.push(lines) - 1}_`;

  const collectionAt = (path: Path): YAMLMap<Scalar> | YAMLSeq => {
    const node = path.length === 0 ? document.contents : document.getIn(path, true);
    if (!isMap<Scalar>(node) && !isSeq(node)) throw new Error(`no map or list at ${path.join('.')}`);
    return node;
  };
  /** The map that a key is in, and where. */
  const placeOf = (path: Path): { items: Pair<Scalar>[]; index: number } => {
    const map = collectionAt(path.slice(0, -1));
    if (!isMap<Scalar>(map)) throw new Error(`${path.join('.')} is no key`);
    const index = map.items.findIndex(({ key }) => key.value === path.at(-1));
    if (index === -1) throw new Error(`no key ${path.join('.')}`);
    return { items: map.items, index };
  };
  const markPair = (lines: string): Pair<Scalar> =>
    document.createPair(blockMark(lines), null) as unknown as Pair<Scalar>;

  const template: Template = {
    fill(path, expression) {
      if (!isScalar(document.getIn(path, true))) throw new Error(`no value at ${path.join('.')}`);
      document.setIn(path, new Scalar(`HELM_VALUE_${fillings.push(expression) - 1}_`));
    },
    replace(path, lines) {
      const { items, index } = placeOf(path);
      const mark = markPair(lines);
      mark.key.commentBefore = items[index]?.key.commentBefore ?? null;
      items[index] = mark;
    },
    wrap(path, before, behind) {
      const { items, index } = placeOf(path);
      items.splice(index + 1, 0, markPair(behind));
      const mark = markPair(before);
      const key = items[index]?.key;
      // Above the condition, not below it.
      mark.key.commentBefore = key?.commentBefore ?? null;
      if (key !== undefined) key.commentBefore = null;
      items.splice(index, 0, mark);
    },
    append(path, lines) {
      const collection = collectionAt(path);
      collection.flow = false;
      if (isMap<Scalar>(collection)) collection.items.push(markPair(lines));
      else collection.items.push(new Scalar(blockMark(lines)));
    },
    insertBefore(path, lines) {
      const { items, index } = placeOf(path);
      items.splice(index, 0, markPair(lines));
    },
    toText: () =>
      document
        .toString(asWritten)
        .replaceAll(/^( *)(?:- )?HELM_BLOCK_(\d+)_(?:: null)?$/gm, (_, indent: string, number: string) =>
          indented(blocks[Number(number)] ?? '', indent),
        )
        .replaceAll(/HELM_VALUE_(\d+)_/g, (_, number: string) => fillings[Number(number)] ?? ''),
  };
  return template;
}

const indented = (lines: string, indent: string): string =>
  lines
    .split('\n')
    .map((line) => (line === '' ? '' : indent + line))
    .join('\n');

/** `condition` around a whole file or document. */
export const when = (condition: string, text: string): string =>
  `{{- if ${condition} }}\n${text.trimEnd()}\n{{- end }}\n`;

/** Gives an object the labels that every one of the chart has, of the instance that an expression names. */
export function labelled(template: Template, instance: string): void {
  template.append(['metadata', 'labels'], `{{- include "dimmer.labels" (list $ ${instance}) | nindent 4 }}`);
}
