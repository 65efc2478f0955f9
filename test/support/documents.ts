/** What the documents tell people to type and to write into files, taken from their text so that tests can do it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The documents whose every command a test runs, or says why not (test/unit/docs/commands.test.ts). */
export const documents = ['README.md', 'docs/user-guide.md', 'docs/operations.md', 'docs/planner.md'] as const;
export type DocumentName = (typeof documents)[number];

/** A fenced block, or a command in the middle of a sentence. */
export type Snippet<T extends string = DocumentName> = {
  readonly document: T;
  /** Of a block as after its fence, '' if nothing is there; of a command in a sentence `inline`. */
  readonly language: string;
  readonly text: string;
};

/** A command of a console, and what it is said to print. */
export type ConsoleCommand = { readonly command: string; readonly printed: string };

const fence = /^( *)```(\w*)\n([\s\S]*?)^\1```$/gm;
const inlineCommand =
  /`((?:kubectl|helm|virsh|dimmer|npm|npx|node|systemctl|journalctl|systemd-analyze|runuser|\w+add|\w+mod|install|cp)\s[^`]+)`/g;

/** All of a document, from top to bottom. */
export function snippetsOf<T extends string = DocumentName>(document: T): readonly Snippet<T>[] {
  const text = readFileSync(join(root, document), 'utf8');
  const blocks = [...text.matchAll(fence)].map(([, indent = '', language = '', body = '']) => ({
    ...{ document, language },
    text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), '').trimEnd(),
  }));
  const inline = [...text.replaceAll(fence, '').matchAll(inlineCommand)].map(([, command = '']) => ({
    ...{ document, language: 'inline' },
    text: command.replaceAll(/\s+/g, ' '),
  }));
  return [...blocks, ...inline];
}

/**
 * What `part` names: blocks by any piece of theirs; a command in a sentence by all of it in backquotes, or by its
 * beginning and ` ...`. The same command may be in several sentences.
 */
export function snippetsNamed(document: DocumentName, part: string): readonly Snippet[] {
  const [, command, open] = /^`(.*?)( \.\.\.)?`$/.exec(part) ?? [];
  const named = snippetsOf(document).filter(({ language, text }) => {
    if (command === undefined) return language !== 'inline' && text.includes(part);
    return language === 'inline' && (open === undefined ? text === command : text.startsWith(`${command} `));
  });
  // Where it is a whole command somewhere, longer ones that begin like it are others.
  const whole = named.filter(({ text }) => text.split('\n').some((line) => line === `$ ${part}`));
  return whole.length > 0 ? whole : named;
}

/** The one snippet that `part` names. */
export function documented(document: DocumentName, part: string): Snippet {
  const [snippet, ...others] = snippetsNamed(document, part);
  if (snippet === undefined || others.some(({ text }) => text !== snippet.text)) {
    throw new Error(`${document} has not one place that says '${part}'`);
  }
  return snippet;
}

/** The commands of a console (`$ ...`, or `# ...` where it takes root), or the one that any other snippet is. */
export function commandsOf({ language, text }: Snippet): readonly ConsoleCommand[] {
  if (language !== 'console') return [{ command: text, printed: '' }];
  const pieces = text.split(/^[$#] /m).slice(1);
  return pieces.map((piece) => {
    const [command = '', ...printed] = piece.trimEnd().split('\n');
    return { command, printed: printed.join('\n') };
  });
}

/**
 * A pattern for what a document says that a command prints: spaces between columns may differ, `...` stands for anything,
 * and what one of `varies` matches may be anything else that it matches.
 */
export function patternOf(printed: string, varies: readonly RegExp[] = []): RegExp {
  const rules = [
    { found: '\\.\\.\\.', becomes: '[\\s\\S]*' },
    ...varies.map(({ source }) => ({ found: source, becomes: source })),
  ];
  rules.push({ found: '\\s+', becomes: '\\s+' });
  let [pattern, rest] = ['', printed];
  while (rest !== '') {
    // Whatever begins here, of the rules in their order; else it is the character itself.
    const rule = rules.find(({ found }) => new RegExp(`^(?:${found})`).test(rest));
    const length = rule === undefined ? 1 : (new RegExp(`^(?:${rule.found})`).exec(rest)?.[0].length ?? 1);
    pattern += rule?.becomes ?? escape(rest.slice(0, 1));
    rest = rest.slice(length);
  }
  return new RegExp(`^${pattern}\\s*$`);
}

const escape = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
