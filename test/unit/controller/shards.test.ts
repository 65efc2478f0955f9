/** Controllers that share the hosts: each acts and speaks for what is on its own, and for nothing else. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { ShardsBench, type ShardProcess } from '../../support/shards-bench.ts';

const uuid = uuidOfNumber(1);
const vm = { uuid, name: 'vm-1', boot: gib(1) };

let bench: ShardsBench;
beforeEach(() => {
  bench = new ShardsBench();
  bench.addHost('hv-a', { zone: 'a' }, [vm]);
  bench.addHost('hv-b', { zone: 'b' });
});
afterEach(() => bench.close());

const startBoth = async (): Promise<{ a: ShardProcess; b: ShardProcess }> => ({
  a: await bench.start('shard-a', 'zone=a'),
  b: await bench.start('shard-b', 'zone=b'),
});
const writersOf = (key: string) => [...new Set(bench.writes.filter((write) => write.key === key).map(({ by }) => by))];

describe('two shards', () => {
  it('serve the VMs of their own hosts, and write the status of those hosts only', async () => {
    bench.host('hv-b').script.addDomain({ uuid: uuidOfNumber(2), name: 'vm-2', boot: gib(1) });
    bench.apply('one', { virtualMachine: { uuid }, memory: '2Gi' });
    bench.apply('two', { virtualMachine: { uuid: uuidOfNumber(2) }, memory: '2Gi' });
    bench.apply('named', { virtualMachine: { name: 'vm-9' }, hostRef: { name: 'hv-b' }, memory: '2Gi' });
    const { a, b } = await startBoth();
    await bench.reaches('one', 'Converged');
    await bench.reaches('two', 'Converged');
    await bench.reaches('named', 'VMNotFoundOrNotAllowed');
    await bench.clock.advance(60_000);
    expect(writersOf('tenants/one')).toEqual(['shard-a']);
    expect(writersOf('tenants/two')).toEqual(['shard-b']);
    expect(writersOf('tenants/named')).toEqual(['shard-b']);
    expect(new Set(bench.hostWrites.map(({ by, key }) => `${by} of ${key}`))).toEqual(
      new Set(['shard-a of hv-a', 'shard-b of hv-b']),
    );
    // The other's VMs are listed, never looked at.
    const { observe } = bench.host('hv-a').script.calls();
    bench.apply('two', { memory: '3Gi' });
    await bench.reaches('two', 'Converged');
    expect(bench.host('hv-a').script.calls().observe).toBe(observe);
    expect(a.events.events.map(({ key }) => key)).not.toContain('tenants/two');
    expect(b.events.events.map(({ key }) => key)).not.toContain('tenants/one');
  });

  it('count in their metrics what is their own', async () => {
    bench.apply('one', { virtualMachine: { uuid }, memory: '2Gi' });
    const { a, b } = await startBoth();
    await bench.reaches('one', 'Converged');
    await bench.clock.advance(60_000);
    const [ofA, ofB] = [await a.metrics(), await b.metrics()];
    expect(ofA).toMatch(/dimmer_resources\{reason="Converged"\} 1/);
    expect(ofB).not.toMatch(/dimmer_resources\{/);
    expect(ofA).toMatch(/dimmer_host_ready\{host="hv-a"\} 1/);
    expect(ofA).not.toMatch(/host="hv-b"/);
    expect(ofB).toMatch(/dimmer_host_ready\{host="hv-b"\} 1/);
    bench.migrate(uuid, 'hv-a', 'hv-b');
    await bench.clock.advance(5_000);
    expect(await a.metrics()).not.toMatch(/dimmer_resources\{/);
    expect(await b.metrics()).toMatch(/dimmer_resources\{reason="Converged"\} 1/);
  });

  it('hand a VM over that has migrated, in the middle of what it wants', async () => {
    const { a } = await startBoth();
    bench.host('hv-a').script.setUnplugBehaviour(uuid, 'all', 'silent');
    bench.apply('one', { virtualMachine: { uuid }, memory: '3Gi' });
    await bench.reaches('one', 'Converged');
    bench.apply('one', { memory: '1Gi' });
    await bench.reaches('one', 'Unplugging');
    bench.writes.length = 0;
    bench.migrate(uuid, 'hv-a', 'hv-b');
    await bench.clock.advance(10_000);
    expect(writersOf('tenants/one')).toEqual(['shard-b']);
    expect(bench.status('one').hostName).toBe('hv-b');
    bench.host('hv-b').script.setUnplugBehaviour(uuid, 'all', 'accept');
    for (const { slot } of bench.host('hv-b').script.domain(uuid).modules) bench.host('hv-b').script.letGo(uuid, slot);
    await bench.reaches('one', 'Converged');
    expect(bench.host('hv-b').script.total(uuid)).toBe(gib(1));
    expect(writersOf('tenants/one')).toEqual(['shard-b']);
    expect(a.events.events.at(-1)?.reason).not.toBe('Converged');
  });

  it('leave what is nowhere, or on several hosts, to the one whose Lease is called first, of those that are held', async () => {
    await startBoth();
    bench.apply('missing', { virtualMachine: { uuid: uuidOfNumber(7) }, memory: '2Gi' });
    bench.apply('nohost', { virtualMachine: { uuid }, hostRef: { name: 'hv-9' }, memory: '2Gi' });
    await bench.reaches('missing', 'VMNotFoundOrNotAllowed');
    await bench.reaches('nohost', 'HostUnknown');
    bench.host('hv-b').script.addDomain(vm);
    bench.apply('twice', { virtualMachine: { uuid }, memory: '2Gi' });
    await bench.reaches('twice', 'AmbiguousVM');
    for (const name of ['missing', 'nohost', 'twice']) expect(writersOf(`tenants/${name}`), name).toEqual(['shard-a']);

    bench.setShard('shard-a', 'zone=a', { isHeld: false });
    bench.apply('late', { virtualMachine: { uuid: uuidOfNumber(8) }, memory: '2Gi' });
    await bench.reaches('late', 'VMNotFoundOrNotAllowed');
    expect(writersOf('tenants/late')).toEqual(['shard-b']);
  });

  it('leave a VM whose host is silent to the shard of the host it was last seen on', async () => {
    await startBoth();
    bench.host('hv-b').script.arrive(bench.host('hv-a').script.depart(uuid));
    bench.apply('one', { virtualMachine: { uuid }, memory: '2Gi' });
    await bench.reaches('one', 'Converged');
    bench.host('hv-b').script.setReachable(false);
    await bench.reaches('one', 'HostUnreachable');
    bench.host('hv-b').script.setReachable(true);
    await bench.reaches('one', 'Converged');
    await bench.clock.advance(700_000);
    expect(writersOf('tenants/one')).toEqual(['shard-b']);
  });

  it('hold deletions up, and let them go, for their own', async () => {
    await startBoth();
    bench.apply('one', { virtualMachine: { uuid }, memory: '2Gi', deletionPolicy: 'Release' });
    await bench.reaches('one', 'Converged');
    bench.migrate(uuid, 'hv-a', 'hv-b');
    await bench.clock.advance(5_000);
    bench.resources.remove('tenants/one', bench.clock.now());
    await bench.clock.until('it is gone', () => bench.resources.get('tenants/one') === undefined);
    expect(bench.finalizerWrites.map(({ by }) => by)).toEqual(['shard-a', 'shard-b']);
    expect(bench.host('hv-b').script.total(uuid)).toBe(gib(1));
  });
});

describe('a host', () => {
  it('that two shards match is refused by both, and so is what runs there, until it is one’s alone', async () => {
    bench.apply('one', { virtualMachine: { uuid }, memory: '2Gi' });
    bench.addHost('hv-c', { zone: 'a', rack: '7' });
    await bench.start('shard-a', 'zone=a');
    await bench.start('shard-r', 'rack=7');
    await bench.clock.advance(1_000);
    await bench.reaches('one', 'Converged');
    await bench.clock.until('it says so', () => bench.hostCondition('hv-c')?.reason === 'ShardConflict');
    expect(bench.hostCondition('hv-c')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('shard-a (zone=a), shard-r (rack=7)') as string,
    });
    bench.migrate(uuid, 'hv-a', 'hv-c');
    bench.apply('one', { memory: '3Gi' });
    await bench.reaches('one', 'ShardConflict');
    // Names of Leases are nothing to a tenant.
    expect(bench.condition('one')?.message).not.toContain('shard-');
    await bench.clock.advance(60_000);
    expect(bench.host('hv-c').script.total(uuid)).toBe(gib(2));
    expect(new Set(bench.hostWrites.filter(({ key }) => key === 'hv-c').map(({ by }) => by))).toEqual(
      new Set(['shard-a']),
    );

    bench.label('hv-c', { rack: '7' });
    await bench.reaches('one', 'Converged');
    expect(bench.host('hv-c').script.total(uuid)).toBe(gib(3));
    expect(bench.writes.at(-1)?.by).toBe('shard-r');
    await bench.clock.until('it is ready', () => bench.hostCondition('hv-c')?.reason === 'AgentAnswers');
    expect(bench.hostWrites.at(-1)).toMatchObject({ by: 'shard-r', key: 'hv-c' });
  });

  it('is in nobody else’s way once a shard has given its Lease up', async () => {
    bench.apply('one', { virtualMachine: { uuid }, memory: '2Gi' });
    bench.setShard('dimmer-controller', '');
    await bench.start('shard-a', 'zone=a');
    await bench.clock.advance(60_000);
    expect(bench.host('hv-a').script.total(uuid)).toBe(gib(1));
    bench.setShard('dimmer-controller', '', { isTaken: false, isHeld: false });
    await bench.reaches('one', 'Converged');
  });

  it('that no shard matches says so, when the shards have been the same for a while, and so does what runs there', async () => {
    bench.addHost('hv-x', {}, [{ uuid: uuidOfNumber(3), name: 'vm-3', boot: gib(1) }]);
    bench.apply('three', { virtualMachine: { uuid: uuidOfNumber(3) }, memory: '2Gi' });
    await startBoth();
    await bench.clock.advance(14_000);
    expect([...bench.writes, ...bench.hostWrites.filter(({ key }) => key === 'hv-x')]).toEqual([]);
    await bench.reaches('three', 'NoShard', 10_000);
    await bench.clock.until('it says so', () => bench.hostCondition('hv-x')?.reason === 'NoShard', 10_000);
    expect(bench.hostCondition('hv-x')?.status).toBe('False');
    expect(
      new Set([...bench.writes, ...bench.hostWrites.filter(({ key }) => key === 'hv-x')].map(({ by }) => by)),
    ).toEqual(new Set(['shard-a']));
    bench.label('hv-x', { zone: 'b' });
    await bench.reaches('three', 'Converged');
    expect(bench.writes.at(-1)?.by).toBe('shard-b');
    // One that has given its Lease up, and isn't followed for a while, isn't there any more; one that was there for all neither.
    bench.setShard('dimmer-controller', '', { isTaken: false, isHeld: false });
    bench.setShard('shard-b', 'zone=b', { isTaken: false, isHeld: false });
    await bench.clock.advance(14_000);
    expect(bench.condition('three')?.reason).toBe('Converged');
  });

  it('that is given to another shard refuses the former one, which hasn’t heard of it', async () => {
    bench.apply('one', { virtualMachine: { uuid }, memory: '1Gi' });
    const { a, b } = await startBoth();
    await bench.reaches('one', 'Converged');
    a.hosts.hold();
    bench.label('hv-a', { zone: 'b' });
    await bench.clock.advance(5_000);
    const { script } = bench.host('hv-a');
    // A wish that was changed to one that needs nothing: the former one has only heard of the first.
    for (const { resources } of [a, b]) resources.hold();
    bench.apply('one', { memory: '2Gi' });
    bench.apply('one', { memory: '1Gi' });
    b.resources.release();
    await bench.reaches('one', 'Converged');
    bench.writes.length = 0;
    a.resources.releaseOne();
    await bench.clock.advance(60_000);
    expect(script.calls().plug).toBeGreaterThan(0);
    expect(script.changes()).toEqual([]);
    expect(bench.writes).toEqual([]);
    // Once it hears of it, it asks nothing more of the host.
    a.hosts.release();
    await bench.clock.advance(5_000);
    const { plug } = script.calls();
    await bench.clock.advance(60_000);
    expect(script.calls().plug).toBe(plug);
  });
});
