/** `npm run bench [-- NAME ...]`: benchmarks by name; without a name the line. */
import { runAgentBench } from './agent/bench.ts';
import { runConsoleBench } from './console/bench.ts';
import { runControllerBench } from './controller/bench.ts';
import { runCrowdBench } from './crowd/bench.ts';
import { runLineBench } from './line/bench.ts';
import { runMapsBench } from './maps/bench.ts';
import { runPausesBench } from './pauses/bench.ts';
import { runPlannerBench } from './planner/bench.ts';
import { runStandaloneBench } from './standalone/bench.ts';

const benches: Readonly<Record<string, () => Promise<void>>> = {
  line: runLineBench,
  planner: runPlannerBench,
  agent: runAgentBench,
  crowd: runCrowdBench,
  controller: runControllerBench,
  pauses: runPausesBench,
  maps: runMapsBench,
  standalone: runStandaloneBench,
  console: runConsoleBench,
};

const names = process.argv.slice(2);
for (const name of names.length === 0 ? ['line'] : names) {
  const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (bench === undefined) {
    console.error(`there is no benchmark '${name}'; there are: ${Object.keys(benches).join(', ')}`);
    process.exit(1);
  }
  console.log(`== ${name}`);
  await bench();
}
process.exit();
