/** How a command ends that can't go on: with one line, and the stack only for who asked for it. */
import type { CommandIo } from './io.ts';

/** An error in one line: what it says, or its kind if it says nothing. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  // Errors of connections have a code alone, where several addresses were tried.
  const { message, name, code } = error as NodeJS.ErrnoException;
  return oneLine(message === '' ? (code ?? name) : message);
}

/** The same of an error that nobody foresaw: its kind helps whoever has to find it. */
export function describeUnforeseen(error: unknown): string {
  const kind = error instanceof Error ? `${error.name}: ` : '';
  return `unforeseen error, please report it (--log-level debug says where it was): ${kind}${describeError(error)}`;
}

/** Writes that line, and below it where the error comes from if `withStack`. */
export function writeFailure(
  stderr: CommandIo['stderr'],
  command: string,
  problem: string,
  error: unknown,
  withStack: boolean,
): void {
  const stack = withStack && error instanceof Error ? `${error.stack ?? ''}\n` : '';
  stderr.write(`${command}: ${problem}\n${stack}`);
}

/** Whether a command line has `--log-level debug`; wherever it is, because the error may be in reading it. */
export function asksForStacks(argv: readonly string[]): boolean {
  return argv.some(
    (arg, index) => arg === '--log-level=debug' || (arg === '--log-level' && argv[index + 1] === 'debug'),
  );
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, ' ');
