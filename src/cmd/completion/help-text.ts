/**
 * What a command's own help says of its options and arguments. Shells complete from it, so that what is told and what is
 * completed can't differ, and a new command needs nothing more. Pure.
 */

export type HelpOption = {
  /** With its dashes. */
  readonly name: string;
  readonly short: string | null;
  /** What stands for its value: `FILE`; null: it has none. */
  readonly value: string | null;
  readonly about: string;
};

export type HelpText = {
  /** As a person types it: `dimmer`, `kubectl dimmer`, with the command behind it. */
  readonly program: string;
  /** Of the program: what follows it. */
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  /** What the first argument may be, by the usage lines: words, and `NAME` for a resource. */
  readonly first: readonly string[];
  readonly options: readonly HelpOption[];
};

const commandLine = /^ {2}([a-z][a-z-]*) {2,}(\S.*)$/;
/** A placeholder follows its option after one blank, and is in capitals. */
const optionLine = /^ {2}(?:(-\w), )?(--[a-z][a-z0-9-]*)(?: ([A-Z][A-Z0-9|:-]*)(?= |$))?(?: +(.*))?$/;

/** Reads the help of `words` (`[]`: the program's own). */
export function readHelp(text: string, words: readonly string[]): HelpText {
  const lines = text.split('\n');
  const usage = lines.slice(0, lines.indexOf('')).map((line) => line.replace(/^Usage: /, '').trim());
  const [top = ''] = usage;
  const word = ` ${words[0] ?? 'COMMAND'}`;
  const end = top.indexOf(word);
  const own = top.slice(0, Math.max(0, words.length === 0 ? end : end + word.length));
  const first = usage.flatMap((line) => {
    const token = line.startsWith(`${own} `) ? (line.slice(own.length + 1).split(' ')[0] ?? '') : '';
    return /^\[?(?:NAME|[a-z]+(?:\|[a-z]+)*)\]?$/.test(token) ? token.replaceAll(/[[\]]/g, '').split('|') : [];
  });
  return {
    program: own,
    commands: lines.flatMap((line) => {
      const [, name, about] = commandLine.exec(line) ?? [];
      return name === undefined || about === undefined ? [] : [{ name, about }];
    }),
    first: [...new Set(first)],
    options: lines.flatMap((line, index) => {
      const [, short = null, name, value = null, about] = optionLine.exec(line) ?? [];
      if (name === undefined) return [];
      return [{ name, short, value, about: [about ?? [], textBelow(lines, index)].flat().join(' ') }];
    }),
  };
}

/** An explanation goes on below, or begins there where the option is long. */
function textBelow(lines: readonly string[], index: number): readonly string[] {
  const [, text] = /^ {4,}(\S.*)$/.exec(lines[index + 1] ?? '') ?? [];
  return text === undefined ? [] : [text, ...textBelow(lines, index + 1)];
}

const levels = ['debug', 'info', 'warn', 'error'];
/** Placeholders of which the explanation says all values: `text (default), json, yaml`. */
const enumerated = new Set(['FORMAT', 'LEVEL', 'POLICY', 'DRIVER']);

/** All that the value of an option may be; empty: that isn't said. */
export function valuesOf({ value, about }: HelpOption): readonly string[] {
  if (value === null || !enumerated.has(value)) return [];
  const list = /(?:^|: )([A-Za-z]+(?: \(default\))?(?:(?:, or |, | or )[A-Za-z]+(?: \(default\))?)+)/.exec(about)?.[1];
  const words = list?.split(/, or |, | or /).map((word) => word.replace(' (default)', '')) ?? [];
  return words.length === 0 && value === 'LEVEL' ? levels : words;
}
