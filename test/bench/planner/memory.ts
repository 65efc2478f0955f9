/**
 * Run as a process of its own with --expose-gc: what the worst case allocates, in MiB, as a line of JSON. Nothing is collected while
 * it runs (`collections` says so), so that what is allocated is what it needs at most.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { MiB } from '../../../src/memory/bytes.ts';
import { computePlan } from '../../../src/planner/plan.ts';
import { worstRequests } from './inputs.ts';

let collections = 0;
new PerformanceObserver((list) => (collections += list.getEntries().length)).observe({ entryTypes: ['gc'] });

const used = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

let extraMiB = 0;
let collectedWhileRunning = 0;
for (const { request } of worstRequests()) {
  globalThis.gc?.();
  // The observer hears of collections a little later.
  await setTimeout(50);
  const before = used();
  const collected = collections;
  computePlan(request);
  extraMiB = Math.max(extraMiB, (used() - before) / MiB);
  await setTimeout(50);
  collectedWhileRunning += collections - collected;
}
console.log(JSON.stringify({ extraMiB, collections: collectedWhileRunning }));
