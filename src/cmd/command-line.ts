/**
 * Command lines as data: what is written here is parsed, told by --help and completed by shells, so that no two of these
 * can differ. Pure.
 */
import type { Place } from '../operator/backend.ts';
import { readArguments } from './arguments.ts';
import { layOutHelp } from './help.ts';

/** Whose resources a command speaks of: those of `dimmer standalone`, or those of a cluster (`kubectl dimmer`). */
export type { Place };

export type OptionLine = {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** What stands for its value; absent: it has none. */
  readonly value?: string;
  /** All that the value may be. */
  readonly values?: readonly string[];
  readonly about: string;
  /** Where there is such an option; absent: in both places. */
  readonly only?: Place;
};

export type ArgumentLine = {
  readonly name: 'NAME' | 'SIZE';
  readonly required: boolean;
  /** What a shell can complete it with. */
  readonly completes: 'resource' | 'nothing';
};

export type CommandLine = {
  readonly name: string;
  /** One line of the list of commands. */
  readonly summary: string;
  /** What it does, for its own help. */
  readonly about: string;
  readonly arguments: readonly ArgumentLine[];
  readonly options: readonly OptionLine[];
  /** What to type after the program's name. */
  readonly examples: readonly string[];
  /** What its exit codes say. */
  readonly exits: string;
};

const programs: Readonly<Record<Place, string>> = { standalone: 'dimmer', cluster: 'kubectl dimmer' };

/** What a person types to get the program. */
export const programAt = (place: Place): string => programs[place];

/** The options that there are in a place. */
export const optionsAt = ({ options }: CommandLine, place: Place): readonly OptionLine[] =>
  options.filter(({ only }) => only === undefined || only === place);

/** `--output FORMAT`, with its short form before it. */
const flagOf = ({ name, short, value }: OptionLine): string =>
  `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;

/** What `--help` says. */
export function usageOf(line: CommandLine, place: Place): string {
  const program = programAt(place);
  const args = line.arguments.map(({ name, required }) => (required ? name : `[${name}]`));
  return layOutHelp({
    usage: [[program, line.name, ...args, '[OPTIONS]'].join(' ')],
    about: [line.about],
    options: optionsAt(line, place).map((option) => ({ term: flagOf(option), about: option.about })),
    examples: line.examples.map((example) => `${program} ${example}`),
    end: [line.exits],
  });
}

export type Given = {
  readonly arguments: readonly string[];
  /** The value of an option; null: it isn't there. */
  readonly text: (option: string) => string | null;
  readonly has: (option: string) => boolean;
};

export type ReadLine =
  | { readonly kind: 'run'; readonly given: Given }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

/** Reads what follows a command's name; the problem is one line that names the argument. */
export function readCommandLine(line: CommandLine, place: Place, argv: readonly string[]): ReadLine {
  const options = optionsAt(line, place);
  const known: Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const { name, short, value } of options) {
    known[name] = { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) };
  }
  const read = readArguments(argv, known, true);
  if (!read.ok) return { kind: 'bad-usage', problem: read.error };
  const { values, positionals } = read.value;
  if (values['help'] === true) return { kind: 'help' };
  const bad = (problem: string): ReadLine => ({ kind: 'bad-usage', problem });
  const missing = line.arguments.find(({ required }, index) => required && positionals[index] === undefined);
  if (missing !== undefined) return bad(`${missing.name} is missing`);
  if (positionals.length > line.arguments.length) return bad(describeTooMany(line));
  // `-o=json`, as kubectl takes it, reaches us as `=json`.
  const text = (name: string): string | null => {
    const value = values[name];
    return typeof value === 'string' ? value.replace(/^=/, '') : null;
  };
  for (const { name, values: allowed } of options) {
    const value = text(name);
    if (value !== null && allowed !== undefined && !allowed.includes(value)) {
      return bad(`--${name}: '${value.slice(0, 64)}' is not ${oneOfWords(allowed)}`);
    }
  }
  return { kind: 'run', given: { arguments: positionals, text, has: (name) => values[name] === true } };
}

function describeTooMany({ arguments: args }: CommandLine): string {
  if (args.length === 0) return 'takes no arguments';
  const names = args.map(({ name }) => `one ${name}`).join(' and ');
  return `takes ${names}${args.some(({ required }) => !required) ? ' at most' : ''}`;
}

/** `json, yaml or wide`. */
const oneOfWords = (words: readonly string[]): string =>
  [words.slice(0, -1).join(', '), words.at(-1) ?? ''].filter((part) => part !== '').join(' or ');
