import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { alone } from './test/alone.ts';
import { LeftOutReporter } from './test/lab/left-out.ts';
import { labProblem } from './test/lab/needs.ts';
import { LongestFirst } from './test/longest-first.ts';

// Programs that tests start, a thousand in a run, begin with what V8 has made of their files before in this run (node:module,
// "Module compile cache"): a tenth of a short command, a fourth of what an agent takes to begin.
if (process.env['NODE_COMPILE_CACHE'] === undefined) {
  const compiled = mkdtempSync(join(tmpdir(), 'dimmer-compiled-'));
  process.env['NODE_COMPILE_CACHE'] = compiled;
  process.on('exit', () => rmSync(compiled, { recursive: true, force: true }));
}

/** Each file has a lab of its own, and waits twice as long as it works: four at a time keep two cores busy. */
const labs = {
  ...{ hookTimeout: 600_000, maxWorkers: 4, sequence: { groupOrder: 1 } },
  globalSetup: 'test/lab/shared-planes.ts',
};
const integration = { include: ['test/integration/**/*.test.ts'], testTimeout: 120_000 };

/** Each of them begins with an API server, and would build one: where there is none they are left out whole. */
const onApiServer = globSync('test/integration/kubernetes/*.test.ts', { cwd: import.meta.dirname }).toSorted();
const noApiServer = process.env['LAB_STRICT'] === '1' ? null : await labProblem(['control-plane']);
const leftOut = noApiServer === null ? [] : onApiServer.map((file) => ({ file, tests: null, reason: noApiServer }));
const notLeftOut = (file: string): boolean => !leftOut.some((each) => each.file === file);

export default defineConfig({
  test: {
    reporters: ['default', new LeftOutReporter(leftOut)],
    sequence: { sequencer: LongestFirst },
    projects: [
      // Groups run one after the other: no unit test waits for a processor that a guest has.
      {
        test: {
          name: 'unit',
          include: ['test/{unit,property,golden}/**/*.test.ts'],
          testTimeout: 30_000,
          // They wait as well, for files that must stand still and programs that begin: four keep two cores busy.
          maxWorkers: 4,
          // Most of a process's start is to read the same modules again; none of these tests leaves anything in them.
          isolate: false,
          maxConcurrency: 40,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...labs,
          ...integration,
          name: 'integration',
          exclude: [...Object.keys(alone), ...leftOut.map(({ file }) => file)],
        },
      },
      { test: { ...labs, name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 180_000 } },
      { test: { ...labs, name: 'strangers', include: ['test/strangers/**/*.test.ts'], testTimeout: 180_000 } },
      {
        test: {
          ...labs,
          ...integration,
          name: 'integration-alone',
          include: Object.keys(alone).filter(notLeftOut),
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
