/** `dimmer plan --batch`: JSON lines in, JSON lines out. */
import { planLine } from '../../preview/batch.ts';
import { exitFailure, exitOk } from '../io.ts';
import type { PlanIo } from './plan-io.ts';

/** Answers every line that isn't blank, in order; 0 when all of them were planned. */
export async function runBatch({ stdin, stdout }: PlanIo): Promise<number> {
  let exit = exitOk;
  for await (const line of linesOf(stdin)) {
    if (line.trim() === '') continue;
    const { planned, answer } = planLine(line);
    if (!planned) exit = exitFailure;
    stdout.write(`${JSON.stringify(answer)}\n`);
  }
  return exit;
}

/** node:readline would do as well, but costs more to load than all of the planner. */
async function* linesOf(stream: PlanIo['stdin']): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest + decoder.decode();
}
