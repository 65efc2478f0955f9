/** What may stand where a person has stopped typing. Pure but for the names, which somebody else knows. */
import { type HelpOption, type HelpText, readHelp, valuesOf } from './help-text.ts';

export type Candidate = { readonly value: string; readonly about: string };

/** `files` and `folders`: the shell itself knows those. */
export type Completion =
  { readonly kind: 'words'; readonly words: readonly Candidate[] } | { readonly kind: 'files' | 'folders' };

/** What only a cluster or a state directory knows; each gives none rather than an error. */
export type Names = {
  readonly resources: (where: Where) => Promise<readonly string[]>;
  readonly namespaces: (where: Where) => Promise<readonly string[]>;
  readonly contexts: (where: Where) => Promise<readonly string[]>;
};

/** Where to look, as far as it has been typed. */
export type Where = {
  readonly program: string;
  /** Options by their long name, without the dashes. */
  readonly given: Readonly<Record<string, string>>;
};

const nothing: Completion = { kind: 'words', words: [] };
const wordsOf = (values: readonly string[], about = ''): Completion => ({
  kind: 'words',
  words: values.map((value) => ({ value, about })),
});

/**
 * @param words what follows the program, the last one as far as it is typed (maybe '')
 * @param helpOf the text of `--help` of these words
 */
export async function complete(
  words: readonly string[],
  helpOf: (words: readonly string[]) => Promise<string>,
  names: Names,
): Promise<Completion> {
  const typed = joinEquals(words);
  const current = typed.at(-1) ?? '';
  const program = readHelp(await helpOf([]), []);
  const [command = ''] = typed;
  if (typed.length <= 1) {
    if (current.startsWith('-'))
      return starting(
        current,
        ['--help', '--version'].map((value) => ({ value, about: '' })),
      );
    return starting(
      current,
      program.commands.map(({ name, about }) => ({ value: name, about })),
    );
  }
  if (!program.commands.some(({ name }) => name === command)) return nothing;
  const help = readHelp(await helpOf([command]), [command]);
  const read = readTyped(typed.slice(1, -1), help.options);
  const where: Where = { program: program.program, given: read.given };
  if (read.open !== null) return completeValue(read.open, current, where, names);
  const [, name, value] = read.onlyArguments ? [] : (/^(--[^=]+)=(.*)$/s.exec(current) ?? []);
  if (name !== undefined) {
    const option = help.options.find((each) => each.name === name);
    return option === undefined || option.value === null ? nothing : completeValue(option, value ?? '', where, names);
  }
  if (current.startsWith('-') && !read.onlyArguments) return starting(current, optionsLeft(help, read));
  if (read.arguments.length > 0) return nothing;
  return completeFirst(help, current, where, names);
}

async function completeFirst(help: HelpText, current: string, where: Where, names: Names): Promise<Completion> {
  const resources = help.first.includes('NAME') ? await names.resources(where) : [];
  const fixed = help.first.filter((word) => word !== 'NAME');
  return starting(
    current,
    [...fixed, ...resources].map((value) => ({ value, about: '' })),
  );
}

async function completeValue(option: HelpOption, current: string, where: Where, names: Names): Promise<Completion> {
  switch (option.value) {
    case 'FILE':
      return { kind: 'files' };
    case 'DIR':
      return { kind: 'folders' };
    case 'NAMESPACE':
      return starting(current, wordsIn(await names.namespaces(where)));
    case 'CONTEXT':
      return starting(current, wordsIn(await names.contexts(where)));
    default:
      return starting(current, wordsIn(valuesOf(option)));
  }
}

const wordsIn = (values: readonly string[]): readonly Candidate[] => values.map((value) => ({ value, about: '' }));

function starting(current: string, candidates: readonly Candidate[]): Completion {
  const fitting = candidates.filter(({ value }) => value.startsWith(current));
  return fitting.length === 0 ? wordsOf([]) : { kind: 'words', words: fitting };
}

type Typed = {
  readonly given: Readonly<Record<string, string>>;
  readonly names: ReadonlySet<string>;
  readonly arguments: readonly string[];
  /** The option whose value comes next. */
  readonly open: HelpOption | null;
  /** After `--`. */
  readonly onlyArguments: boolean;
};

function readTyped(words: readonly string[], options: readonly HelpOption[]): Typed {
  const given: Record<string, string> = {};
  const names = new Set<string>();
  const args: string[] = [];
  let open: HelpOption | null = null;
  let onlyArguments = false;
  for (const word of words) {
    if (open !== null) {
      given[open.name.slice(2)] = word;
      open = null;
    } else if (onlyArguments || !word.startsWith('-') || word === '-') args.push(word);
    else if (word === '--') onlyArguments = true;
    else {
      const [name = '', ...value] = word.split('=');
      // A short option may have its value behind it: -ojson.
      const option = options.find((each) => each.name === name || (each.short !== null && word.startsWith(each.short)));
      if (option === undefined) continue;
      names.add(option.name);
      const attached = word.startsWith('--') ? (value.length === 0 ? null : value.join('=')) : word.slice(2) || null;
      if (attached !== null) given[option.name.slice(2)] = attached;
      else if (option.value === null) given[option.name.slice(2)] = '';
      else open = option;
    }
  }
  return { given, names, arguments: args, open, onlyArguments };
}

const optionsLeft = ({ options }: HelpText, { names }: Typed): readonly Candidate[] =>
  options
    .filter(({ name, about }) => !names.has(name) || about.includes('repeatable'))
    .map(({ name, about }) => ({ value: name, about }));

/** bash splits words at `=`: `--output`, `=`, `js` is one. */
function joinEquals(words: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (const word of words) {
    const last = joined.at(-1);
    const before = joined.at(-2);
    if (word === '=' && last?.startsWith('--') === true) joined[joined.length - 1] = `${last}=`;
    else if (last?.startsWith('--') === true && last.endsWith('=') && before !== '--')
      joined[joined.length - 1] = last + word;
    else joined.push(word);
  }
  return joined;
}
