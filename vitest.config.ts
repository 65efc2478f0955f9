import { defineConfig } from 'vitest/config';
import { alone } from './test/alone.ts';
import { LeftOutReporter } from './test/lab/left-out.ts';
import { LongestFirst } from './test/longest-first.ts';

/** Each file has a lab of its own, and waits twice as long as it works: four at a time keep two cores busy. */
const labs = { hookTimeout: 600_000, maxWorkers: 3, sequence: { groupOrder: 1 } };
const integration = { include: ['test/integration/**/*.test.ts'], testTimeout: 120_000 };

export default defineConfig({
  test: {
    reporters: ['default', new LeftOutReporter()],
    sequence: { sequencer: LongestFirst },
    projects: [
      // Groups run one after the other: no unit test waits for a processor that a guest has.
      {
        test: {
          name: 'unit',
          include: ['test/{unit,property,golden}/**/*.test.ts'],
          testTimeout: 30_000,
          // They wait as well, for files that must stand still and programs that begin: three keep two cores busy.
          maxWorkers: 3,
          // Most of a process's start is to read the same modules again; none of these tests leaves anything in them.
          isolate: false,
          maxConcurrency: 40,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...labs, ...integration, name: 'integration', exclude: Object.keys(alone) } },
      { test: { ...labs, name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 180_000 } },
      { test: { ...labs, name: 'strangers', include: ['test/strangers/**/*.test.ts'], testTimeout: 180_000 } },
      {
        test: {
          ...labs,
          ...integration,
          name: 'integration-alone',
          include: Object.keys(alone),
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
