/** What a host can't carry is known when it is planned, by the rules that the agent would refuse it by. */
import { afterEach, expect, it } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

it('huge pages on a host at its limit of what may be promised are not planned, and no agent is asked for them', async () => {
  // A VM on huge pages, all that its host may promise, and pages enough.
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1), pageSize: mib(2) }], {
    hostSpec: { memoryOvercommit: '0.004' },
  });
  bench.apply({ memory: '2Gi' });
  await bench.reaches('InsufficientHostMemory');
  expect(bench.condition('PlanFeasible')?.status).toBe('False');
  expect(bench.host().script.calls().plug).toBe(0);
});
