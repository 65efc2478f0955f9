/** The command line of `dimmer status`. */
import { readArguments } from '../arguments.ts';
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

/** `text` is what nobody has to ask for. */
const outputs = ['text', 'wide', 'json', 'yaml'] as const;
export type StatusOutput = (typeof outputs)[number];

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
  const [name = null, ...others] = positionals;
  if (others.length > 0) return { kind: 'bad-usage', problem: 'takes one NAME at most' };
  const given = (option: string): string | null => (typeof values[option] === 'string' ? values[option] : null);
  const output = outputs.find((known) => known === (given('output') ?? 'text'));
  if (output === undefined) {
    return { kind: 'bad-usage', problem: `--output: '${given('output') ?? ''}' is not json, yaml or wide` };
  }
  const stateDir = given('state-dir') ?? ownStateDir();
  return { kind: 'run', options: { name, stateDir, output, watch: values['watch'] === true } };
}
