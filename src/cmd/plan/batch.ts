/** `dimmer plan --batch`: JSON lines in, JSON lines out. */
import { computePlan } from '../../planner/plan.ts';
import { exitFailure, exitOk } from '../io.ts';
import { readBatchLine } from './batch-line.ts';
import { planToJson } from './plan-json.ts';
import { buildRequest } from './preview-input.ts';
import type { PlanIo } from './plan-io.ts';

/** What the planner calls a field, as batch lines call it. */
export function batchField(field: string): string {
  return field
    .replace(/^desired$/, 'memory')
    .replace(/^slots\.total$/, 'slots')
    .replace(/^slots\.usedByOthers/, 'slotsUsed')
    .replace(/^slots\.resting/, 'slotsResting')
    .replace(/^boot\[(\d+)\]\..*$/, 'boot[$1]')
    .replace(/^policy\./, '');
}

type LineAnswer = { readonly planned: boolean; readonly answer: Record<string, unknown> };

/** Plans one line. */
export function planLine(text: string): LineAnswer {
  const read = readBatchLine(text);
  const id = read.id === undefined ? {} : { id: read.id };
  if (!read.ok) return { planned: false, answer: { ...id, error: read.error } };
  const built = buildRequest(read.input);
  if (!built.ok) return { planned: false, answer: { ...id, error: `${built.field}: ${built.problem}` } };
  const result = computePlan(built.request);
  if (!result.ok) {
    const { field, problem } = result.error;
    return { planned: false, answer: { ...id, error: `${batchField(field)}: ${problem}` } };
  }
  return { planned: true, answer: { ...id, ...planToJson(result.plan) } };
}

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
