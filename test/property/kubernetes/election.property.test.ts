/**
 * Leader election under whatever happens to processes, their requests and the Lease: never two leaders, and epochs that only
 * grow. The processes are those of the unit tests.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';
import { ElectedProcess, type Fault, LeaseServer } from '../../unit/kubernetes/support/lease-server.ts';

const count = 3;
const which = fc.nat(count - 1);
const fault: fc.Arbitrary<Fault> = fc.constantFrom<Fault[]>(
  409,
  429,
  500,
  'late-answer',
  'lose-answer',
  'lose-request',
);

type Happening =
  | { readonly what: 'pass'; readonly ms: number; readonly which?: undefined }
  | { readonly what: 'freeze' | 'thaw' | 'kill' | 'end' | 'cut off' | 'reconnect'; readonly which: number }
  | { readonly what: 'fault'; readonly fault: Fault; readonly which?: undefined }
  | { readonly what: 'cut watches' | 'delete' | 'edit'; readonly which?: undefined };

const pass = fc.record({
  what: fc.constant('pass' as const),
  ms: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.constant(13_000)),
});
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: pass },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('freeze' as const, 'cut off', 'kill'), which }) },
  fc.record({ what: fc.constantFrom('thaw' as const, 'reconnect', 'end'), which }),
  fc.record({ what: fc.constant('fault' as const), fault }),
  fc.record({ what: fc.constantFrom('cut watches' as const, 'edit') }),
);
const withDeletion = fc.oneof({ weight: 6, arbitrary: happening }, fc.constant<Happening>({ what: 'delete' }));

/** Plays what happens; gives the most leaders that there were at one moment, and the epochs in the order they came. */
async function play(happenings: readonly Happening[], skews: readonly number[]) {
  const clock = new ManualClock();
  const server = new LeaseServer();
  let born = 0;
  const create = (): ElectedProcess => {
    born += 1;
    return new ElectedProcess(`p${born}`, server, clock, { skewMs: skews[born % skews.length] ?? 0 });
  };
  const processes = Array.from({ length: count }, create);
  const epochs: number[] = [];
  let most = 0;
  const look = (): void => {
    const leaders = processes.flatMap(({ epoch }) => epoch ?? []);
    most = Math.max(most, leaders.length);
    for (const epoch of leaders) if (!epochs.includes(epoch)) epochs.push(epoch);
  };
  const pass = async (ms: number): Promise<void> => {
    // In small steps, so that no moment is overlooked.
    for (let left = ms; left > 0; left -= 250) {
      await clock.advance(Math.min(250, left));
      look();
      // A process that has lost its lease ends, and another one is started in its place.
      for (const [index, { log }] of processes.entries()) {
        if (log.length === 0) continue;
        processes[index]?.kill();
        processes[index] = create();
      }
    }
  };
  for (const each of happenings) {
    const chosen = each.which === undefined ? undefined : processes[each.which];
    if (each.what === 'pass') await pass(each.ms);
    else if (each.what === 'fault') server.faults.push(each.fault);
    else if (each.what === 'cut watches') server.cutWatches();
    else if (each.what === 'delete') server.delete();
    else if (each.what === 'edit') server.relabel();
    else if (each.what === 'freeze') chosen?.freeze();
    else if (each.what === 'thaw') chosen?.thaw();
    else if (chosen && (each.what === 'cut off' || each.what === 'reconnect'))
      chosen.isCutOff = each.what === 'cut off';
    else if (chosen !== undefined) {
      if (each.what === 'end') void chosen.end();
      else chosen.kill();
      await clock.advance(0);
      chosen.kill();
      processes[each.which ?? 0] = create();
    }
    look();
  }
  // Left in peace they agree on one.
  server.faults.length = 0;
  for (const each of processes) {
    each.thaw();
    each.isCutOff = false;
  }
  await pass(40_000);
  const last = processes.flatMap(({ epoch }) => epoch ?? []);
  for (const each of processes) each.kill();
  return { most, epochs, last };
}

const skews = fc.array(fc.integer({ min: -1e9, max: 1e9 }), { minLength: 1, maxLength: 3 });
const grows = (epochs: readonly number[]): boolean =>
  epochs.every((epoch, at) => at === 0 || epoch > (epochs[at - 1] ?? 0));

test('there are never two leaders, each has a larger epoch than those before, and in the end there is one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 25 }), skews, async (happenings, skew) => {
      const { most, epochs, last } = await play(happenings, skew);
      expect(most).toBeLessThanOrEqual(1);
      expect(grows(epochs), String(epochs)).toBe(true);
      expect(last).toHaveLength(1);
    }),
    { numRuns: 100 },
  );
});

test('epochs grow, and there is a leader in the end, also where the Lease is deleted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(withDeletion, { maxLength: 25 }), skews, async (happenings, skew) => {
      const { epochs, last } = await play(happenings, skew);
      expect(grows(epochs), String(epochs)).toBe(true);
      expect(last).toHaveLength(1);
    }),
    { numRuns: 100 },
  );
});
