/** Both programs, `dimmer` and `kubectl dimmer`: chooses the command, loads only that one, and turns signals into its end. */
import { type Place, programAt } from './command-line.ts';
import { type CommandName, commandTable } from './command-table.ts';
import { asksForStacks, describeError, describeUnforeseen, writeFailure } from './failure.ts';
import { helpWidth, wrapAt } from './help.ts';
import { type CommandIo, exitFailure, exitOk } from './io.ts';
import { version } from './version.ts';

/** What the help of a program says. */
function usageAt(place: Place): string {
  const program = programAt(place);
  const known = commandTable.filter(({ places }) => places.includes(place));
  const about =
    place === 'standalone'
      ? "Turns running virtual machines' memory up and down, declaratively."
      : "Shows and changes the memory of a cluster's virtual machines, with the rights and the context of kubectl.";
  return [
    `Usage: ${program} COMMAND [OPTIONS]`,
    '',
    ...wrapAt(about, helpWidth),
    '',
    'Commands:',
    ...known.map(({ name, summary }) => `  ${name.padEnd(12)} ${summary}`),
    '',
    `'${program} COMMAND --help' says more about a command,`,
    `'${program} --version' which version this is.`,
    '',
  ].join('\n');
}

type Command = (argv: readonly string[], io: CommandIo, place: Place) => Promise<number>;

/** Each command is loaded on its own: 'dimmer plan' needn't wait for what the controller imports. */
const commands: Readonly<Record<CommandName, () => Promise<Command>>> = {
  agent: async () => (await import('./agent/run-agent.ts')).runAgent,
  controller: async () => (await import('./controller/run-controller.ts')).runController,
  standalone: async () => (await import('./standalone/run-standalone.ts')).runStandalone,
  status: async () => (await import('./operator/run-status.ts')).runStatus,
  plan: async () => (await import('./plan/run-plan.ts')).runPlan,
  resize: async () => (await import('./operator/run-resize.ts')).runResize,
  why: async () => (await import('./operator/run-why.ts')).runWhy,
  events: async () => (await import('./operator/run-events.ts')).runEvents,
  hosts: async () => (await import('./operator/run-hosts.ts')).runHosts,
  console: async () => (await import('./console/run-console.ts')).runConsole,
  adopt: async () => (await import('./adopt/run-adopt.ts')).runAdopt,
  pki: async () => (await import('./pki/run-pki.ts')).runPki,
  completion: async () => (await import('./completion/run-completion.ts')).runCompletion,
};

async function run(argv: readonly string[], io: CommandIo, place: Place): Promise<number> {
  const program = programAt(place);
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.stdout.write(usageAt(place));
    return exitOk;
  }
  if (name === '--version' || name === 'version') {
    io.stdout.write(`${program} ${version}\n`);
    return exitOk;
  }
  if (name === undefined) {
    io.stderr.write(usageAt(place));
    return exitFailure;
  }
  if (name === '__complete') {
    const { runComplete } = await import('./completion/run-complete.ts');
    return runComplete(rest, io, (words) => readHelpOf(words, io, place));
  }
  if (!isCommand(name, place)) {
    io.stderr.write(`${program}: unknown command '${name}'; '${program} --help' lists them\n`);
    return exitFailure;
  }
  const command = await commands[name]();
  return command(rest, io, place);
}

/** What `--help` of these words says. */
async function readHelpOf(words: readonly string[], io: CommandIo, place: Place): Promise<string> {
  let text = '';
  await run([...words, '--help'], { ...io, stdout: { write: (piece: string) => (text += piece) } }, place);
  return text;
}

/** What `--help` of these words says of a program, for its manual page. */
export function helpOf(words: readonly string[], place: Place): Promise<string> {
  const nowhere = { write: () => true };
  const { signal } = new AbortController();
  return readHelpOf(words, { stdin: process.stdin, stdout: nowhere, stderr: nowhere, signal }, place);
}

const isCommand = (name: string | undefined, place: Place): name is CommandName =>
  commandTable.some((entry) => entry.name === name && entry.places.includes(place));

/** Runs this process's command line to its end. */
export function startProgram(place: Place): void {
  const { stdin, stdout, stderr } = process;
  const argv = process.argv.slice(2);
  const [name] = argv;
  const who = isCommand(name, place) ? `${programAt(place)} ${name}` : programAt(place);
  const end = (problem: string, error: unknown): never => {
    writeFailure(stderr, who, problem, error, asksForStacks(argv));
    process.exit(exitFailure);
  };
  // Whoever reads our answer may have seen enough of it (`dimmer plan | head -1`).
  stdout.on('error', (error: NodeJS.ErrnoException) =>
    error.code === 'EPIPE'
      ? process.exit(exitFailure)
      : end(`the answer can't be written: ${describeError(error)}`, error),
  );
  // Rejections that nobody handles come here, too. Nothing is to be saved: all commands may be killed at any moment.
  process.on('uncaughtException', (error) => end(describeUnforeseen(error), error));

  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.abort(signal));
  // Keeps the process alive as long as the command runs: no timer of ours does.
  const alive = setInterval(() => undefined, 60_000);
  run(argv, { stdin, stdout, stderr, signal: ending.signal }, place).then(
    (code) => {
      clearInterval(alive);
      process.exitCode = code;
      // It was told to end: what didn't stop in time holds up nobody. Else its answer may still be on its way.
      if (ending.signal.aborted) process.exit();
    },
    (error: unknown) => end(describeUnforeseen(error), error),
  );
}
