/** 2,000 VMs by uuid on the hosts of two shards, of which 200 migrate between the two while sizes change. */
import { expect, it } from 'vitest';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { ShardsBench } from '../../support/shards-bench.ts';

const hostsOfEach = 5;
const vmsOfEach = 200;
const migrations = 200;

const hostName = (index: number): string => `hv-${index < hostsOfEach ? 'a' : 'b'}-${index % hostsOfEach}`;
const shardOf = (host: string | undefined): string => `shard-${host?.split('-')[1]}`;
const uuidOf = (number: number): string => uuidOfNumber(number + 1);

it('of 2,000 VMs, 200 of which migrate from shard to shard, no status is written by two, and none says not found', async () => {
  const bench = new ShardsBench();
  const { clock } = bench;
  for (let index = 0; index < 2 * hostsOfEach; index += 1) {
    const domains = Array.from({ length: vmsOfEach }, (_, nth) => {
      const number = index * vmsOfEach + nth;
      return { uuid: uuidOf(number), name: `vm-${number}`, boot: gib(1), modules: [{ size: gib(1) }] };
    });
    bench.addHost(hostName(index), { zone: hostName(index).split('-')[1] ?? '' }, domains);
  }
  const numbers = Array.from({ length: 2 * hostsOfEach * vmsOfEach }, (_, number) => number);
  const apply = (number: number, memory: string) =>
    bench.apply(`vm-${number}`, { virtualMachine: { uuid: uuidOf(number) }, memory });
  for (const number of numbers) apply(number, '2Gi');
  await bench.start('shard-a', 'zone=a');
  await bench.start('shard-b', 'zone in (b)');
  const isDone = (number: number, current: string): boolean => {
    const { observedGeneration, memory } = bench.status(`vm-${number}`);
    const { generation } = bench.resources.get(`tenants/vm-${number}`)?.metadata ?? {};
    const isConverged = bench.condition(`vm-${number}`)?.reason === 'Converged';
    return isConverged && observedGeneration === generation && memory?.current === current;
  };
  const undone = (current: (number: number) => string) => numbers.filter((number) => !isDone(number, current(number)));
  const untilDone = async (current: (number: number) => string): Promise<void> => {
    for (let waitedS = 0; waitedS < 600 && undone(current).length > 0; waitedS += 5) await clock.advance(5_000);
    expect(undone(current).map((number) => [number, bench.condition(`vm-${number}`)])).toEqual([]);
  };
  await untilDone(() => '2Gi');

  // Each tenth VM goes to a host of the other shard, one after the other, and those and as many others get another size.
  const moved = new Map<number, string>();
  for (let nth = 0; nth < migrations; nth += 1) {
    const number = nth * 10;
    const from = Math.floor(number / vmsOfEach);
    const to = (from + hostsOfEach) % (2 * hostsOfEach);
    if (nth % 2 === 0) apply(number, '3Gi');
    apply(number + 1, '3Gi');
    bench.migrate(uuidOf(number), hostName(from), hostName(to));
    moved.set(number, hostName(to));
    if (nth % 2 === 1) apply(number, '3Gi');
    await clock.advance(nth % 7);
  }
  await untilDone((number) => (number % 10 < 2 ? '3Gi' : '2Gi'));

  expect(bench.writes.filter(({ reason }) => reason === 'VMNotFoundOrNotAllowed')).toEqual([]);
  // Whoever writes has the host that the status speaks of, and nobody comes back to what he has left to another.
  const written = bench.writes.filter(({ outcome }) => outcome === 'written');
  expect(written.filter(({ by, hostName: host }) => by !== shardOf(host))).toEqual([]);
  const byKey = Map.groupBy(written, ({ key }) => key);
  for (const number of numbers) {
    const writers = (byKey.get(`tenants/vm-${number}`) ?? []).map(({ by }) => by);
    const turns = writers.filter((by, index) => by !== writers[index - 1]);
    const first = shardOf(hostName(Math.floor(number / vmsOfEach)));
    const last = moved.get(number);
    expect(turns, `vm-${number}`).toEqual(last === undefined ? [first] : [first, shardOf(last)]);
    if (last !== undefined) expect(bench.status(`vm-${number}`).hostName).toBe(last);
  }
  expect(bench.writes.filter(({ outcome }) => outcome === 'conflict').length).toBe(0);
  // Each VM has been looked at by its own shard only, and the hosts told what they run a few times, not once a VM.
  const lists = numbers
    .slice(0, 2 * hostsOfEach)
    .map((index) => bench.host(hostName(index)).script.calls().listDomains);
  expect(Math.max(...lists)).toBeLessThan(1_500);
  await bench.close();
}, 120_000);
