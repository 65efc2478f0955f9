/** Structured logging: a constant message plus fields, one name per field everywhere. */
import { pino } from 'pino';

/** What rooms need of a logger; pino's loggers have it. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: Record<string, unknown>): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The levels that `--log-level` takes. */
export const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** A logger that writes JSON lines to standard error: standard output stays free for results. */
export function createLogger(options: { readonly level: LogLevel; readonly component: string }): Logger {
  return pino(
    {
      level: options.level,
      base: { component: options.component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** A logger that says nothing, for tests. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
