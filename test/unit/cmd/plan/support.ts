/** Runs `dimmer plan` with streams in memory. */
import { Readable } from 'node:stream';
import { runPlan } from '../../../../src/cmd/plan/run-plan.ts';

export type Ran = { readonly exit: number; readonly stdout: string; readonly stderr: string };

export async function run(argv: readonly string[], stdin: string | readonly Buffer[] = ''): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const exit = await runPlan(argv, {
    stdin: Readable.from(typeof stdin === 'string' ? [stdin] : stdin),
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  return { exit, stdout, stderr };
}

/** `run` with arguments as one text. */
export const dimmerPlan = (line: string, stdin?: string): Promise<Ran> => run(line.split(' '), stdin);
