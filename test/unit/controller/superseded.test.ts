/** A controller that doesn't lead any more, and may not know it yet. */
import { beforeEach, expect, it } from 'vitest';
import { gib } from '../../../src/memory/bytes.ts';
import { leadershipOf } from '../../contract/bench.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const election = 'cluster/dimmer-system/dimmer-controller';
let bench: ControllerBench;
let epoch: number | null;
let refusedBy: readonly (number | undefined)[];
beforeEach(async () => {
  epoch = 5;
  const leadership = leadershipOf(5);
  ({ refusedBy } = leadership);
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1) }], {
    leadership: {
      current: () => (epoch === null ? null : { election, epoch }),
      refused: (newest) => leadership.refused(newest),
    },
  });
  bench.apply({ memory: '1Gi' });
  await bench.reaches('Converged');
});

/** What it says and does in a minute about a new wish. */
async function askFor(memory: string): Promise<{ readonly writes: number; readonly plugs: number }> {
  const [writes, plugs] = [bench.resources.writes.length, bench.host().script.calls().plug];
  bench.apply({ memory });
  await bench.clock.advance(60_000);
  return { writes: bench.resources.writes.length - writes, plugs: bench.host().script.calls().plug - plugs };
}

it('sends nothing and says nothing once its own clock tells it', async () => {
  epoch = null;
  expect(await askFor('2Gi')).toEqual({ writes: 0, plugs: 0 });
  epoch = 6;
  await bench.reaches('Converged');
  expect(bench.status().memory?.current).toBe('2Gi');
});

it('is refused by a host that knows its successor, says nothing of the VM, and asks who leads', async () => {
  bench.host().watch(() => undefined, leadershipOf(9, election));
  const { writes, plugs } = await askFor('2Gi');
  expect(writes).toBe(0);
  expect(plugs).toBeGreaterThan(0);
  // Seconds, as for any host that is busy; never a storm.
  expect(plugs).toBeLessThan(20);
  expect(new Set(refusedBy)).toEqual(new Set([9]));
  expect(bench.host().script.changes()).toEqual([]);
  // It holds the lease after all, and takes a larger epoch.
  epoch = 10;
  await bench.reaches('Converged');
  expect(
    bench
      .host()
      .script.changes()
      .map(({ what }) => what),
  ).toEqual(['plugged']);
});
