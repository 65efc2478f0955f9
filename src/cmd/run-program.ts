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
      const logger = createLogger({ level: options.logLevel, component: name });
      const forgetWarnings = logWarnings(logger);
      try {
        await serve(options, logger, io.signal);
        return exitOk;
      } catch (error) {
        writeFailure(io.stderr, `dimmer ${name}`, describeError(error), error, options.logLevel === 'debug');
        return exitFailure;
      } finally {
        forgetWarnings();
      }
    }
    default:
      return read satisfies never;
  }
}

/** What Node itself warns of becomes a line of the log, where all others are JSON, too. Returns what ends that. */
function logWarnings(logger: Logger): () => void {
  const before = process.listeners('warning');
  const log = (warning: Error): void => {
    logger.warn({ err: warning.stack ?? String(warning) }, 'Node.js warns');
  };
  process.removeAllListeners('warning');
  process.on('warning', log);
  return () => {
    process.off('warning', log);
    for (const listener of before) process.on('warning', listener);
  };
}
