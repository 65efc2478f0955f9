/** The command line of `dimmer status`. */
import { readArguments } from '../arguments.ts';
import { catchMistake, Mistake } from '../option-values.ts';
import { ownStateDir } from '../standalone/state-dir.ts';

export const statusUsage = `Usage: dimmer status [NAME] [OPTIONS]

What 'dimmer standalone' knows: all resources, or all about one of them, with a picture of the VM's slots, what is under
way and why, and the last events. Reads the state directory only, so that it can't disturb anything.

Options:
  NAME               a resource, or NAMESPACE/NAME
  --state-dir DIR    the state directory of 'dimmer standalone' (default: as there)
  -o, --output FORMAT   json, yaml, or wide (default: text that fits the terminal)
  -w, --watch        show it anew whenever it has changed, until Ctrl-C
  --help

Examples:
  dimmer status
  dimmer status db-1
  dimmer status db-1 -o json | jq .status.reachable

It exits with 0, and with 1 on bad usage, where there is no such resource, or when the state can't be read.
`;

export type StatusOutput = 'text' | 'wide' | 'json' | 'yaml';

export type StatusArguments = {
  /** null: all of them. */
  readonly name: string | null;
  readonly stateDir: string;
  readonly output: StatusOutput;
  readonly watch: boolean;
};

export type ReadStatusArguments =
  | { readonly kind: 'run'; readonly options: StatusArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

/** Reads the command line; the problem is one line that names the argument. */
export function readStatusArguments(argv: readonly string[]): ReadStatusArguments {
  const read = readArguments(
    argv,
    {
      'state-dir': { type: 'string' },
      output: { type: 'string', short: 'o' },
      watch: { type: 'boolean', short: 'w' },
      help: { type: 'boolean' },
    },
    true,
  );
  if (!read.ok) return { kind: 'bad-usage', problem: read.problem };
  const { values, positionals } = read;
  if (values['help'] === true) return { kind: 'help' };
  return catchMistake((): ReadStatusArguments => {
    const [name = null, ...others] = positionals;
    if (others.length > 0) throw new Mistake('takes one NAME at most');
    const stateDir = values['state-dir'];
    const watch = values['watch'] === true;
    return {
      kind: 'run',
      options: {
        name,
        stateDir: typeof stateDir === 'string' ? stateDir : ownStateDir(),
        output: readOutput(values['output']),
        watch,
      },
    };
  });
}

function readOutput(value: unknown): StatusOutput {
  if (typeof value !== 'string') return 'text';
  if (value === 'json' || value === 'yaml' || value === 'wide') return value;
  throw new Mistake(`--output: '${value}' is not json, yaml or wide`);
}
