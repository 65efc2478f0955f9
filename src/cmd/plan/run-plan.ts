/** `dimmer plan`: a preview, offline or of a live resource. Its contract is in docs/planner.md. */
import { computePlan } from '../../planner/plan.ts';
import type { Plan, PlanRequest } from '../../planner/types.ts';
import { type Place, programAt } from '../command-line.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { type Output, readPlanArguments } from './plan-arguments.ts';
import { usageFor } from './usage.ts';
import { exitOfPlan } from './plan-exit.ts';
import { type PlanIo, readInput } from './plan-io.ts';
import { planToJson } from '../../preview/json.ts';
import { planToText } from '../../preview/text.ts';
import { buildRequest } from '../../preview/from-numbers.ts';

/** Runs `plan` with the arguments after it; the exit code says what was decided. */
export async function runPlan(argv: readonly string[], io: CommandIo, place: Place): Promise<number> {
  const given = readPlanArguments(argv);
  const refuse = (problem: string): number => {
    io.stderr.write(`${programAt(place)} plan: ${problem}\n`);
    return exitFailure;
  };
  switch (given.kind) {
    case 'bad':
      return refuse(given.problem);
    case 'help':
      io.stdout.write(usageFor(place));
      return exitOk;
    case 'live':
      return (await import('../operator/run-live-plan.ts')).runLivePlan(argv, io, place);
    case 'batch':
      // Loaded only when needed, as everything that isn't on the way of the plain preview.
      return (await import('./batch.ts')).runBatch(io);
    case 'preview': {
      const built = buildRequest(given.input);
      if (!built.ok) return refuse(`${argumentOf(built.error.field)}: ${built.error.problem}`);
      return answer(built.value, given.output, null, io, refuse);
    }
    case 'domain': {
      const { requestFromDomain } = await import('../../preview/from-domain-xml.ts');
      const file = await readInput(given.file, io.stdin);
      if (!file.ok) return refuse(`--domain-xml: can't read ${given.file} (${file.error})`);
      const read = requestFromDomain(file.value, given.common);
      if (!read.ok) return refuse(`--domain-xml: ${given.file}: ${read.error}`);
      return answer(read.value.request, given.common.output, read.value.hotplugProblem, io, refuse);
    }
    case 'status': {
      const { readResource } = await import('./read-resource.ts');
      const file = await readInput(given.file, io.stdin);
      if (!file.ok) return refuse(`--status: can't read ${given.file} (${file.error})`);
      const resource = readResource(file.value);
      if (!resource.ok) return refuse(`--status: ${given.file}: ${resource.error}`);
      const { requestFromStatus } = await import('../../preview/from-status.ts');
      const read = requestFromStatus(resource.value, given.wish);
      if (!read.ok) return refuse(`--status: ${given.file}: ${read.error}`);
      return answer(read.value, given.output, null, io, refuse);
    }
    default:
      return given satisfies never;
  }
}

async function answer(
  request: PlanRequest,
  output: Output,
  hotplugProblem: string | null,
  io: PlanIo,
  refuse: (problem: string) => number,
): Promise<number> {
  const result = computePlan(request);
  if (!result.ok) return refuse(`${argumentOf(result.error.field)}: ${result.error.problem}`);
  const plan: Plan =
    result.value.reason === 'HotplugUnsupported' && hotplugProblem !== null
      ? { ...result.value, message: hotplugProblem }
      : result.value;
  io.stdout.write(await format(request, plan, output));
  return exitOfPlan(plan);
}

async function format(request: PlanRequest, plan: Plan, output: Output): Promise<string> {
  switch (output) {
    case 'text':
      return planToText(request, plan);
    case 'json':
      return `${JSON.stringify(planToJson(plan), null, 2)}\n`;
    case 'yaml':
      return (await import('./plan-yaml.ts')).planToYaml(plan);
    default:
      return output satisfies never;
  }
}

/** The argument behind a field of the preview's input, or of the planner's own request. */
function argumentOf(field: string): string {
  if (field === 'maxMemory') return '--max-memory';
  if (field === 'desired') return '--memory';
  if (field === 'hostFree') return '--host-free';
  return `--${/^[a-zA-Z]+/.exec(field)?.[0] ?? field}`;
}
