/**
 * Text as kubectl reads it: YAML 1.1 by the rules of go-yaml 2 (sigs.k8s.io/yaml), whose numbers differ a little from
 * those of the specification: there are no sexagesimal ones, and a date is a text.
 */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  type ScalarTag,
  type Tags,
  visit,
} from 'yaml';
import { fail, type Result, succeed } from '../memory/result.ts';

/** From 1. */
export type Position = { readonly line: number; readonly column: number };

/** Members and indices down to a place in a value. */
export type Path = readonly (string | number)[];

export type YamlDocument = {
  /** As JSON has it. */
  readonly value: unknown;
  /** Where what `path` leads to is written; of what isn't, the place that should have it. */
  readonly positionOf: (path: Path) => Position;
  /** How what `path` leads to is written; null: it isn't there, or stands elsewhere (an alias). */
  readonly nodeAt: (path: Path) => WrittenNode | null;
};

/** A piece of the text, in characters from its beginning. */
export type WrittenNode = {
  readonly start: number;
  readonly end: number;
  /** A mapping in lines of its own, one in braces, or anything else. */
  readonly form: 'block' | 'flow' | 'other';
};

export type YamlProblem = { readonly message: string; readonly position: Position };

/** strconv.ParseInt with base 0, once underscores are out. */
const goInteger = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9][0-9]*|0)$/;
/** resolve.go, yamlStyleFloat. */
const goFloat = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/** A number as go-yaml reads it, or the text. */
function resolveNumber(text: string): number | string {
  const plain = text.replaceAll('_', '');
  if (goInteger.test(plain)) {
    const [, sign, digits = ''] = /^([-+]?)(.*)$/.exec(plain) ?? [];
    const value = Number(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
    return sign === '-' ? -value : value;
  }
  return goFloat.test(plain) ? Number(plain) : text;
}

const number: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  test: /^(?:[-+]?[0-9]|[-+]?\.[0-9])[0-9a-zA-Z_.+-]*$/,
  resolve: resolveNumber,
};

/** Of what the YAML 1.1 schema has, that which go-yaml makes the same of. */
const kept = new Set(['map', 'seq', 'str', 'null', 'bool', 'merge'].map((name) => `tag:yaml.org,2002:${name}`));
const customTags = (tags: Tags): Tags => [
  ...tags.filter((tag) => typeof tag === 'object' && (kept.has(tag.tag) || isInfinity(tag))),
  number,
];
/** `.inf` and `.nan`: numbers that JSON hasn't, which is said of them. */
const isInfinity = (tag: Exclude<Tags[number], string>): boolean =>
  'test' in tag && tag.tag.endsWith(':float') && tag.test.test('.inf');

/** Ends of lines for YAML 1.1, and for no editor: what looks like a comment might be none. */
const strangeEnd = /[\u0085\u2028\u2029]/;
/** These, and what go-yaml (yaml_parser_update_buffer) takes nowhere. */
// eslint-disable-next-line no-control-regex -- it is about them
const strangeCharacter = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u2028\u2029\uFFFE\uFFFF]/;

/** The first character that a file may not have. null: there is none. */
function findStrangeCharacter(text: string): { readonly message: string; readonly index: number } | null {
  const strange = strangeCharacter.exec(text);
  if (strange === null) return null;
  const code = strange[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  const what = strangeEnd.test(strange[0])
    ? 'a character that ends a line for kubectl and for no editor'
    : 'a control character, which kubectl does not read';
  return { message: `has ${what} (U+${code}): take it away`, index: strange.index };
}

/** What go-yaml (yaml_parser_scan_anchor) takes for no anchor's name; null: there is nothing of that sort. */
function findStrangeAnchor(document: Document.Parsed): { readonly name: string; readonly offset: number } | null {
  let found: { readonly name: string; readonly offset: number } | null = null;
  visit(document, {
    Node(_, node) {
      const name = 'anchor' in node ? node.anchor : undefined;
      if (name === undefined || /^[\w-]+$/.test(name)) return undefined;
      found = { name, offset: node.range?.[0] ?? 0 };
      return visit.BREAK;
    },
  });
  return found;
}

/** Whether the key that begins at `start` follows a `?`, on its line or on one before: it may then have lines of its own. */
function isExplicitKey(text: string, start: number): boolean {
  const before = text.slice(0, start);
  return (
    /\?\s/.test(before.slice(before.lastIndexOf('\n') + 1)) ||
    /(?:^|\n)[ \t]*(?:-[ \t]+)*\?[ \t]*\r?\n\s*$/.test(before)
  );
}

/**
 * A key that go-yaml has none of: it looks for the `:` on the line of the key only (yaml_parser_stale_simple_keys), has no empty
 * one in the text, and of the rest JSON has none that is null, a list or a mapping. null: there is none.
 */
function findStrangeKey(document: Document.Parsed, text: string): { problem: string; offset: number } | null {
  let found: { problem: string; offset: number } | null = null;
  visit(document, {
    Pair(_, { key, value }) {
      const [start, end] = (isNode(key) ? key.range : null) ?? [null, null];
      const offset = start ?? (isNode(value) ? value.range?.[0] : undefined) ?? 0;
      // After a key that is broken nothing is what it seems: it comes first.
      if (start !== null && !isExplicitKey(text, start) && /^[ \t]*\r?\n\s*:/.test(text.slice(end))) {
        found = { problem: "has a key whose ':' is not on its line", offset };
      } else if (key === null || (isScalar(key) && key.value === null)) {
        found = { problem: 'has a key that is empty or null', offset };
      } else if (isCollection(key)) found = { problem: 'has a list or a mapping for a key', offset };
      return found === null ? undefined : visit.BREAK;
    },
  });
  return found;
}

/**
 * Where an unquoted text in braces or brackets has a `?`: for go-yaml (yaml_parser_scan_plain_scalar) it ends there, and a key
 * begins. null: nowhere.
 */
function findStrangeMark(document: Document.Parsed): number | null {
  let found: number | null = null;
  visit(document, {
    Scalar(_, { type, source = '', range }, above) {
      if (type !== 'PLAIN' || !source.includes('?')) return undefined;
      if (!above.some((each) => isCollection(each) && each.flow === true)) return undefined;
      found = range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

/** Reads all documents of `text`, empty ones left out. One that can't be read spoils the others: it may be half-written. */
export function readYaml(text: string): Result<readonly YamlDocument[], YamlProblem> {
  const lines = new LineCounter();
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const strange = findStrangeCharacter(text);
  if (strange !== null) {
    const { message } = strange;
    lines.addNewLine(0);
    for (const { index } of text.slice(0, strange.index).matchAll(/\n/g)) lines.addNewLine(index + 1);
    return fail({ message, position: positionAt(strange.index) });
  }
  const parsed = parseAllDocuments(text, {
    version: '1.1',
    customTags,
    uniqueKeys: true,
    lineCounter: lines,
    logLevel: 'silent',
    prettyErrors: false,
  });
  if (!Array.isArray(parsed)) return succeed([]);
  const documents: YamlDocument[] = [];
  for (const document of parsed) {
    const [error] = document.errors;
    if (error !== undefined) return fail({ message: error.message, position: positionAt(error.pos[0]) });
    // It takes files apart at their `---` before it reads them, and a directive is then alone.
    if (document.directives.yaml.explicit === true) {
      return fail({ message: 'has a directive (%YAML), which kubectl does not read', position: positionAt(0) });
    }
    const anchor = text.includes('&') ? findStrangeAnchor(document) : null;
    if (anchor !== null) {
      const message = `has an anchor '${anchor.name}': letters, digits, - and _ make its name`;
      return fail({ message, position: positionAt(anchor.offset) });
    }
    const mark = text.includes('?') ? findStrangeMark(document) : null;
    if (mark !== null) {
      const message = "has a '?' in a text in braces or brackets, where kubectl takes it for a mark: put it in quotes";
      return fail({ message, position: positionAt(mark) });
    }
    const key = findStrangeKey(document, text);
    if (key !== null) return fail({ message: key.problem, position: positionAt(key.offset) });
    const start = positionAt(document.contents?.range[0] ?? document.range[0]);
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      return fail({ message: error instanceof Error ? error.message : String(error), position: start });
    }
    if (value === null) continue;
    documents.push({
      value,
      nodeAt(path) {
        const node = document.getIn(path, true);
        if (!isNode(node) || isAlias(node) || node.range === undefined || node.range === null) return null;
        const [start, end] = node.range;
        return { start, end, form: isMap(node) ? (node.flow === true ? 'flow' : 'block') : 'other' };
      },
      positionOf(path) {
        for (let length = path.length; length > 0; length -= 1) {
          const node = document.getIn(path.slice(0, length), true);
          if (isNode(node) && node.range !== undefined && node.range !== null) return positionAt(node.range[0]);
          // A parent of what isn't there, or an alias on the way.
          if (isCollection(node)) break;
        }
        return start;
      },
    });
  }
  return succeed(documents);
}
