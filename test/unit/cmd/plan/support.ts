/** Runs `dimmer plan`. */
import { type Ran, runProgram } from '../../../support/built-program.ts';

export const run = (argv: readonly string[], stdin: string | readonly Uint8Array[] = ''): Promise<Ran> =>
  runProgram(['plan', ...argv], { stdin });

/** `run` with arguments as one text. */
export const dimmerPlan = (line: string, stdin?: string): Promise<Ran> => run(line.split(' '), stdin);
