/** The program `dimmer`: chooses the command, loads only that one, and turns signals into its end. */
import { asksForStacks, describeError, describeUnforeseen, writeFailure } from './failure.ts';
import { type CommandIo, exitFailure, exitOk } from './io.ts';
import { version } from './version.ts';

const usage = `Usage: dimmer COMMAND [OPTIONS]

Turns running virtual machines' memory up and down, declaratively.

Commands:
  controller   the cluster controller: reconciles VirtualMachineMemory resources
  agent        the host agent: plugs and unplugs memory modules through libvirt
  standalone   both in one process, for the manifests of a directory: no cluster needed
  status       what standalone knows: VMs, their memory, what is under way and why
  plan         offline preview: what would be done, and which sizes can be reached
  adopt        writes manifests for the VMs of a host as they are now
  completion   a script that lets a shell complete all this

'dimmer COMMAND --help' says more about a command, 'dimmer --version' which version this is.
`;

type Command = (argv: readonly string[], io: CommandIo) => Promise<number>;

/** Each command is loaded on its own: 'dimmer plan' needn't wait for what the controller imports. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  agent: async () => (await import('./agent/run-agent.ts')).runAgent,
  controller: async () => (await import('./controller/run-controller.ts')).runController,
  standalone: async () => (await import('./standalone/run-standalone.ts')).runStandalone,
  status: async () => (await import('./status/run-status.ts')).runStatus,
  plan: async () => (await import('./plan/run-plan.ts')).runPlan,
  adopt: async () => (await import('./adopt/run-adopt.ts')).runAdopt,
  completion: async () => (await import('./completion/run-completion.ts')).runCompletion,
};

async function run(argv: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.stdout.write(usage);
    return exitOk;
  }
  if (name === '--version' || name === 'version') {
    io.stdout.write(`dimmer ${version}\n`);
    return exitOk;
  }
  if (name === undefined) {
    io.stderr.write(usage);
    return exitFailure;
  }
  if (name === '__complete') {
    const { runComplete } = await import('./completion/run-complete.ts');
    return runComplete(rest, io, (words) => readHelpOf(words, io));
  }
  const load = isCommand(name) ? commands[name] : undefined;
  if (load === undefined) {
    io.stderr.write(`dimmer: unknown command '${name}'; 'dimmer --help' lists them\n`);
    return exitFailure;
  }
  const command = await load();
  return command(rest, io);
}

/** What `--help` of these words says. */
async function readHelpOf(words: readonly string[], io: CommandIo): Promise<string> {
  let text = '';
  await run([...words, '--help'], { ...io, stdout: { write: (piece: string) => (text += piece) } });
  return text;
}

const isCommand = (name: string | undefined): name is string => name !== undefined && Object.hasOwn(commands, name);

/** Runs this process's command line to its end. */
export function startProgram(): void {
  const { stdin, stdout, stderr } = process;
  const argv = process.argv.slice(2);
  const [name] = argv;
  const who = isCommand(name) ? `dimmer ${name}` : 'dimmer';
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
  run(argv, { stdin, stdout, stderr, signal: ending.signal }).then(
    (code) => {
      clearInterval(alive);
      process.exitCode = code;
      // It was told to end: what didn't stop in time holds up nobody. Else its answer may still be on its way.
      if (ending.signal.aborted) process.exit();
    },
    (error: unknown) => end(describeUnforeseen(error), error),
  );
}
