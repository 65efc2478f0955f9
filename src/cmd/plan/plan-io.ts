import { readFile } from 'node:fs/promises';
import type { CommandIo } from '../io.ts';
import { fail, type Result, succeed } from '../../memory/result.ts';

/** What `dimmer plan` needs of its surroundings. */
export type PlanIo = Pick<CommandIo, 'stdin' | 'stdout' | 'stderr'>;

/** All of a stream as text. */
async function readAll(stream: PlanIo['stdin']): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stream) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** The text of a file (`-`: of stdin); where it can't be had, the code of the error. */
export async function readInput(file: string, stdin: PlanIo['stdin']): Promise<Result<string, string>> {
  try {
    return succeed(file === '-' ? await readAll(stdin) : await readFile(file, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return fail(code ?? message);
  }
}
