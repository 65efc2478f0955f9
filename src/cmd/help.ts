/** What `--help` says, laid out for the narrowest terminal that anybody has. Pure. */
import { fill } from '../memory/lines.ts';

/** What any terminal has. */
export const helpWidth = 80;
/** Where explanations begin. */
const aboutColumn = 26;

/** One line of a list: an option, or whatever is explained. */
export type HelpItem = {
  /** As it is typed: `-o, --output FORMAT`. */
  readonly term: string;
  /** One paragraph; `''`: the term says it all. */
  readonly about: string;
};

export type Help = {
  /** How the command is called, one line a form, the program first. */
  readonly usage: readonly string[];
  /** Paragraphs: what it does. */
  readonly about: readonly string[];
  readonly options: readonly HelpItem[];
  /** What the options speak of and is too much for one of them. */
  readonly lists?: readonly { readonly title: string; readonly items: readonly HelpItem[] }[];
  /** Whole command lines; one may go on in further lines, as in a shell. */
  readonly examples?: readonly string[];
  /** Paragraphs: what remains to be said, such as exit codes. */
  readonly end?: readonly string[];
};

/** The option that every command has. */
const helpItem: HelpItem = { term: '--help', about: '' };

/** The words of a text in lines of at most `width`; what is quoted is something to type, and stays in one line. */
export const wrapAt = (text: string, width: number): readonly string[] =>
  fill(text.match(/(?<!\S)\(?'[^']*'\S*|\S+/g) ?? [], width);

/** `[--dir DIR]` stays together, and so does an option with its value; what follows the first line is indented. */
function layUsage(lines: readonly string[]): readonly string[] {
  const start = 'Usage: ';
  return lines.flatMap((line, index) => {
    const [program = '', ...pieces] = line.match(/\[[^\]]*\](?:\.\.\.)?|--\S+ [A-Z]\S*|\S+/g) ?? [];
    const indent = ' '.repeat(start.length + program.length + 1);
    const [first = '', ...rest] = fill(pieces, helpWidth - indent.length);
    return [
      `${index === 0 ? start : ' '.repeat(start.length)}${program} ${first}`.trimEnd(),
      ...rest.map((each) => indent + each),
    ];
  });
}

function layItem({ term, about }: HelpItem): readonly string[] {
  const lead = `  ${term}`;
  if (about === '') return [lead];
  const indent = ' '.repeat(aboutColumn);
  const lines = wrapAt(about, helpWidth - aboutColumn);
  if (lead.length > aboutColumn - 2) return [lead, ...lines.map((line) => indent + line)];
  return lines.map((line, index) => (index === 0 ? lead.padEnd(aboutColumn) : indent) + line);
}

const layParagraphs = (paragraphs: readonly string[]): readonly string[] =>
  paragraphs.flatMap((paragraph) => ['', ...wrapAt(paragraph, helpWidth)]);

/** The whole text, with a newline at its end. */
export function layOutHelp({ usage, about, options, lists = [], examples = [], end = [] }: Help): string {
  const list = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : ['', `${title}:`, ...lines];
  return [
    ...layUsage(usage),
    ...layParagraphs(about),
    ...list('Options', [...options, helpItem].flatMap(layItem)),
    ...lists.flatMap(({ title, items }) => list(title, items.flatMap(layItem))),
    ...list(
      'Examples',
      examples.flatMap((example) => example.split('\n').map((line) => `  ${line}`)),
    ),
    ...layParagraphs(end),
    '',
  ].join('\n');
}
