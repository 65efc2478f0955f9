/** A line of `dimmer plan --batch` and its answer, both JSON. */
import { computePlan } from '../planner/plan.ts';
import { readBatchLine } from './batch-line.ts';
import { planToJson } from './json.ts';
import { buildRequest } from './from-numbers.ts';

/** What the planner calls a field, as batch lines call it. */
function batchField(field: string): string {
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
  if (!built.ok) return { planned: false, answer: { ...id, error: `${built.error.field}: ${built.error.problem}` } };
  const result = computePlan(built.value);
  if (!result.ok) {
    const { field, problem } = result.error;
    return { planned: false, answer: { ...id, error: `${batchField(field)}: ${problem}` } };
  }
  return { planned: true, answer: { ...id, ...planToJson(result.value) } };
}
