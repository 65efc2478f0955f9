/** What all of an operator's commands begin and end with. */
import { type CommandLine, type Given, type Place, programAt, readCommandLine, usageOf } from '../command-line.ts';
import { describeError } from '../failure.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import type { Backend } from '../../operator/backend.ts';
import { openBackend } from './open-backend.ts';
import { Told } from '../../operator/told.ts';

export type Session = {
  readonly given: Given;
  readonly backend: Backend;
  readonly io: CommandIo;
  readonly place: Place;
};

/** Reads the command line and runs `serve`; what it throws becomes one line. Returns the exit code. */
export async function runCommand(
  line: CommandLine,
  argv: readonly string[],
  io: CommandIo,
  place: Place,
  serve: (session: Session) => Promise<number>,
): Promise<number> {
  const name = `${programAt(place)} ${line.name}`;
  const read = readCommandLine(line, place, argv);
  switch (read.kind) {
    case 'help':
      io.stdout.write(usageOf(line, place));
      return exitOk;
    case 'bad-usage':
      io.stderr.write(`${name}: ${read.problem}; '${name} --help' says more\n`);
      return exitFailure;
    case 'run':
      try {
        const { given } = read;
        return await serve({ given, backend: await openBackend(place, given, io.signal), io, place });
      } catch (error) {
        if (!(error instanceof Told)) io.stderr.write(`${name}: ${describeError(error)}\n`);
        return exitFailure;
      }
    default:
      return read satisfies never;
  }
}

/** Objects as a program gets them. */
export async function formatObject(value: object, output: 'json' | 'yaml'): Promise<string> {
  if (output === 'json') return `${JSON.stringify(value, null, 2)}\n`;
  return (await import('./yaml.ts')).toYaml(value);
}

/** A list as Kubernetes has them. */
export const listOf = (items: readonly object[]): object => ({ apiVersion: 'v1', kind: 'List', items });
