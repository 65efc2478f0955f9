/** What every command that goes on until it is told to end begins and ends with. */
import { createLogger, type Logger } from '../runtime/logger.ts';
import { describeError, writeFailure } from './failure.ts';
import { type CommandIo, exitFailure, exitOk } from './io.ts';

type LogLevel = Parameters<typeof createLogger>[0]['level'];

/** A command line as it was read. */
export type ReadProgram<T extends { readonly logLevel: LogLevel }> =
  | { readonly kind: 'run'; readonly options: T }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

/** Runs `serve` until the signal, or says why not. @param name after `dimmer`; of its log lines, too. Returns the exit code. */
export async function runProgram<T extends { readonly logLevel: LogLevel }>(
  name: string,
  usage: string,
  read: ReadProgram<T>,
  io: CommandIo,
  serve: (options: T, logger: Logger, signal: AbortSignal) => Promise<void>,
): Promise<number> {
  switch (read.kind) {
    case 'help':
      io.stdout.write(usage);
      return exitOk;
    case 'bad-usage':
      io.stderr.write(`dimmer ${name}: ${read.problem}; 'dimmer ${name} --help' says more\n`);
      return exitFailure;
    case 'run': {
      const { options } = read;
      try {
        await serve(options, createLogger({ level: options.logLevel, component: name }), io.signal);
        return exitOk;
      } catch (error) {
        writeFailure(io.stderr, `dimmer ${name}`, describeError(error), error, options.logLevel === 'debug');
        return exitFailure;
      }
    }
    default:
      return read satisfies never;
  }
}
