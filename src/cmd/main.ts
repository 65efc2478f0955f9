#!/usr/bin/env node
/** The program `dimmer`: chooses the command, loads only that one, and turns signals into its end. */
import { type CommandIo, exitFailure, exitOk } from './io.ts';

const usage = `Usage: dimmer COMMAND [OPTIONS]

Turns running virtual machines' memory up and down, declaratively.

Commands:
  controller   the cluster controller: reconciles VirtualMachineMemory resources
  agent        the host agent: plugs and unplugs memory modules through libvirt
  plan         offline preview: what would be done, and which sizes can be reached

'dimmer COMMAND --help' says more about a command.
`;

type Command = (argv: readonly string[], io: CommandIo) => Promise<number>;

/** Each command is loaded on its own: 'dimmer plan' needn't wait for what the controller imports. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  agent: async () => (await import('./agent/run-agent.ts')).runAgent,
  controller: async () => (await import('./controller/run-controller.ts')).runController,
  plan: async () => (await import('./plan/run-plan.ts')).runPlan,
};

async function main(argv: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.stdout.write(usage);
    return exitOk;
  }
  if (name === undefined) {
    io.stderr.write(usage);
    return exitFailure;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) {
    io.stderr.write(`dimmer: unknown command '${name}'; 'dimmer --help' lists them\n`);
    return exitFailure;
  }
  const command = await load();
  return command(rest, io);
}

const ending = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => ending.abort(name));
const { stdin, stdout, stderr } = process;
process.exitCode = await main(process.argv.slice(2), { stdin, stdout, stderr, signal: ending.signal });
