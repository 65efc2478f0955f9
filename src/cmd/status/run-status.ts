/** `dimmer status`: what standalone knows, for a person at a terminal or for a program. */
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import { formatPlace } from '../../standalone/manifest-place.ts';
import type { Look } from '../../view/layout.ts';
import { paint, wrap } from '../../view/layout.ts';
import { describeResource, fullName, tableOfResources } from '../../view/status-text.ts';
import { describeError } from '../failure.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { readStatusArguments, type StatusArguments, statusUsage } from './options.ts';
import { eventsOf, readState, type StandaloneState } from './read-state.ts';

/** How often `--watch` looks. */
const watchMs = 500;

/** Returns the exit code. */
export async function runStatus(argv: readonly string[], io: CommandIo): Promise<number> {
  const read = readStatusArguments(argv);
  switch (read.kind) {
    case 'help':
      io.stdout.write(statusUsage);
      return exitOk;
    case 'bad-usage':
      io.stderr.write(`dimmer status: ${read.problem}; 'dimmer status --help' says more\n`);
      return exitFailure;
    case 'run':
      try {
        if (read.options.watch) await watch(read.options, io);
        else io.stdout.write(await show(read.options));
        return exitOk;
      } catch (error) {
        io.stderr.write(`dimmer status: ${describeError(error)}\n`);
        return exitFailure;
      }
    default:
      return read satisfies never;
  }
}

async function watch(options: StatusArguments, { stdout, signal }: CommandIo): Promise<void> {
  const isScreen = process.stdout.isTTY;
  let before = '';
  while (!signal.aborted) {
    const now = await show(options);
    if (now !== before) stdout.write(isScreen ? `\u001b[H\u001b[J${now}` : now);
    before = now;
    await new Promise((resolve) => {
      setTimeout(resolve, watchMs);
      signal.addEventListener('abort', resolve, { once: true });
    });
  }
}

/** How this terminal shows it. */
function lookHere(): Look {
  const { stdout, env } = process;
  return {
    width: Math.max(72, stdout.isTTY ? stdout.columns : 80),
    colour: stdout.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
  };
}

async function show({ name, stateDir, output }: StatusArguments): Promise<string> {
  const state = await readState(stateDir);
  const one = name === null ? null : findNamed(state.resources, name);
  if (output === 'json' || output === 'yaml') {
    const value = one ?? { apiVersion: 'v1', kind: 'List', items: state.resources };
    if (output === 'json') return `${JSON.stringify(value, null, 2)}\n`;
    return (await import('./status-yaml.ts')).toYaml(value);
  }
  const look = lookHere();
  const body =
    one === null
      ? state.resources.length === 0
        ? 'No manifest of a VirtualMachineMemory counts.\n'
        : tableOfResources(state.resources, look, output === 'wide')
      : describeResource(one, await eventsOf(stateDir, one), look, Date.now());
  return body + describeTrouble(state, one, look);
}

/** What is wrong besides: manifests, and that nobody looks after them. */
function describeTrouble(
  { problems, process: pid }: StandaloneState,
  one: VirtualMachineMemory | null,
  look: Look,
): string {
  const concerned = problems.filter(({ key }) => one === null || key === `VirtualMachineMemory ${fullName(one)}`);
  const lines = concerned.flatMap((problem) => {
    const [first = '', ...rest] = wrap(`${formatPlace(problem)} ${problem.message}`, look.width - 4);
    return [`  ${paint(look, 'red', '!')} ${first}`, ...rest.map((line) => `    ${line}`)];
  });
  const wrong = lines.length === 0 ? [] : ['', paint(look, 'bold', 'Manifests that do not count'), ...lines];
  const alone =
    pid === null
      ? ['', `${paint(look, 'yellow', 'Note:')} no 'dimmer standalone' runs: this is what was last known.`]
      : [];
  const all = [...wrong, ...alone];
  return all.length === 0 ? '' : `${all.join('\n')}\n`;
}

function findNamed(resources: readonly VirtualMachineMemory[], name: string): VirtualMachineMemory {
  const found = resources.filter((resource) => fullName(resource) === name || resource.metadata.name === name);
  const [first, ...others] = found;
  if (first === undefined) throw new Error(`there is no resource ${name}; 'dimmer status' lists them`);
  if (others.length > 0) throw new Error(`there are several of that name: ${found.map(fullName).join(', ')}`);
  return first;
}
