/** What planning costs: the everyday case, the worst case, how it grows, and two textbook ways beside it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Bench, type Task } from 'tinybench';
import { computePlan } from '../../../src/planner/plan.ts';
import type { Plan, PlanRequest } from '../../../src/planner/types.ts';
import { block, everydayRequests, hardCase, hardRequest, seeded, worstRequests } from './inputs.ts';
import { greedy, plainTable } from './rivals.ts';

const time = (ms: number): string => (ms < 1 ? `${(ms * 1000).toFixed(1)} us` : `${ms.toFixed(2)} ms`).padStart(11);

function report(tasks: readonly Task[]): void {
  console.log(`${''.padEnd(52)}${['p50', 'p99', 'max', 'samples'].map((name) => name.padStart(11)).join('')}`);
  for (const { name, result } of tasks) {
    if (!('latency' in result)) throw new Error(`${name}: ${result.state}`);
    const { p50, p99, max, samplesCount } = result.latency;
    console.log(`${name.padEnd(52)}${time(p50)}${time(p99)}${time(max)}${String(samplesCount).padStart(11)}`);
  }
}

function latencyOf(task: Task | undefined): { readonly p50: number; readonly p99: number } {
  if (task === undefined || !('latency' in task.result)) throw new Error(`${task?.name ?? 'a task'} has no result`);
  return task.result.latency;
}

const verdict = (what: string, value: number, aim: number, unit: string): void =>
  console.log(`${what}: ${value.toFixed(1)} ${unit}, aim below ${aim} ${unit}: ${value < aim ? 'met' : 'MISSED'}`);

function planOf(request: PlanRequest): Plan {
  const result = computePlan(request);
  if (!result.ok) throw new Error(`${result.error.field}: ${result.error.problem}`);
  return result.value;
}

/** Calls `use` with one item after the other, round and round. */
function inTurn<T>(items: readonly T[], use: (item: T) => unknown): () => void {
  let next = 0;
  return () => {
    const item = items[next++ % items.length];
    if (item !== undefined) use(item);
  };
}

const blocksOf = ({ observation }: PlanRequest): number[] => observation.modules.map(({ size }) => size / block);

function blocksLess({ observation, desired }: PlanRequest): number {
  const current = [...observation.boot, ...observation.modules].reduce((sum, { size }) => sum + size, 0);
  return (current - desired) / block;
}

async function benchEveryday(): Promise<void> {
  const requests = everydayRequests(500);
  const shrinks = requests.filter((request) => blocksLess(request) > 0);
  const choices = shrinks.map((request) => ({ sizes: blocksOf(request), amount: blocksLess(request) }));
  const bench = new Bench({ name: 'everyday', time: 3000, warmupTime: 1000 });
  bench.add('whole plan, shrinking and growing', inTurn(requests, planOf));
  bench.add('whole plan, shrinking', inTurn(shrinks, planOf));
  bench.add(
    'only choosing: largest first',
    inTurn(choices, ({ sizes, amount }) => greedy(sizes, amount)),
  );
  bench.add(
    'only choosing: plain table',
    inTurn(choices, ({ sizes, amount }) => plainTable(sizes, amount)),
  );
  console.log('\nEveryday: 16 slots, up to 64 GiB, blocks of 128 MiB');
  await bench.run();
  report(bench.tasks);
  verdict('everyday p99', latencyOf(bench.tasks[0]).p99 * 1000, 100, 'us');
}

async function benchWorst(): Promise<void> {
  const hard = hardCase(256);
  const bench = new Bench({ name: 'worst', time: 2000, warmupTime: 500 });
  const requests = worstRequests();
  for (const { name, request } of requests) bench.add(`${name}: ${planOf(request).reason}`, () => planOf(request));
  bench.add('only choosing: largest first', () => greedy(hard.modules, hard.unreachable));
  bench.add('only choosing: plain table', () => plainTable(hard.modules, hard.unreachable));
  const total = hard.modules.reduce((sum, blocks) => sum + blocks, 0);
  console.log(`\nWorst case: 256 modules, ${(total / 8192).toFixed(2)} TiB in blocks of 128 MiB`);
  await bench.run();
  report(bench.tasks);
  const slowest = Math.max(...bench.tasks.slice(0, requests.length).map((task) => latencyOf(task).p50));
  verdict('worst case, median of the slowest', slowest, 50, 'ms');
  const script = join(import.meta.dirname, 'memory.ts');
  const flags = ['--expose-gc', '--max-semi-space-size=256'];
  const answer = execFileSync(process.execPath, [...flags, script], { encoding: 'utf8' });
  const { extraMiB, collections } = JSON.parse(answer) as { extraMiB: number; collections: number };
  verdict(`extra memory (${collections} collections meanwhile)`, extraMiB, 64, 'MiB');
}

async function benchGrowth(): Promise<void> {
  const bench = new Bench({ name: 'growth', time: 700, warmupTime: 200 });
  for (const count of [16, 32, 64, 128, 255, 256]) {
    const hard = hardCase(count);
    const unreachable = hardRequest(hard, false, 'Exact');
    const reachable = hardRequest(hard, true, 'Exact');
    bench.add(`${count} modules, ${Math.round(count / 16)} TiB: no exact set`, () => planOf(unreachable));
    bench.add(`${count} modules, ${Math.round(count / 16)} TiB: exact set`, () => planOf(reachable));
  }
  console.log('\nHow it grows: modules of 64 GiB on average');
  await bench.run();
  report(bench.tasks);
}

/** How often largest first finds nothing although a set exists. */
function countMisses(): void {
  const random = seeded(4);
  const cases = 20_000;
  let misses = 0;
  for (let run = 0; run < cases; run++) {
    const sizes = Array.from({ length: 2 + Math.floor(random() * 15) }, () => 1 + Math.floor(random() * 64));
    const some = sizes.filter(() => random() < 0.5);
    const amount = (some.length === 0 ? sizes : some).reduce((sum, size) => sum + size, 0);
    if (greedy(sizes, amount) === null) misses++;
  }
  const share = ((100 * misses) / cases).toFixed(1);
  console.log(
    `\nLargest first misses an exact set that exists in ${share} % of ${cases} random cases; the planner in none.`,
  );
}

/** Runs all and prints the figures. */
export async function runPlannerBench(): Promise<void> {
  await benchEveryday();
  await benchWorst();
  await benchGrowth();
  countMisses();
}
