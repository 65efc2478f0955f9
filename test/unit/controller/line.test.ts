/** Much to do at once on one host: who waits, for how long, and what is said about it. */
import { afterEach, describe, expect, it } from 'vitest';
import { hostError } from '../../../src/host/errors.ts';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench } from '../../support/controller-bench.ts';

const places = 4;
const nameOf = (number: number): string => `vm-${number}`;
const domains = (first: number, last: number): SimulatedDomainSpec[] =>
  Array.from({ length: last - first + 1 }, (_, index) => ({
    ...{ uuid: uuidOfNumber(first + index), name: nameOf(first + index), boot: mib(256) },
  }));

describe('many VMs of one host at once', () => {
  let bench: ControllerBench;
  const wanted = new Map<string, string>();
  afterEach(async () => {
    wanted.clear();
    let closed = false;
    void bench.close().then(() => (closed = true));
    await bench.clock.until('the controller ends', () => closed);
  });

  const start = async (count: number): Promise<void> => {
    bench = await createControllerBench(domains(1, count), {
      hostSpec: { maxConcurrentOperations: places, memoryOvercommit: '16.0' },
    });
  };
  const want = (number: number, memory: string, more: object = {}): void => {
    wanted.set(nameOf(number), memory);
    bench.apply({ virtualMachine: { uuid: uuidOfNumber(number) }, memory, ...more }, nameOf(number));
  };
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
  /** The memory is there, and the status says so; when the guest reports it is another matter. */
  const isDone = (number: number): boolean =>
    bench.status(nameOf(number)).memory?.current === wanted.get(nameOf(number)) &&
    bench.status(nameOf(number)).observedGeneration ===
      bench.resources.get(`tenants/${nameOf(number)}`)?.metadata.generation;
  const done = (number: number, limitMs: number): Promise<void> =>
    bench.clock.until(`${nameOf(number)} is done`, () => isDone(number), limitMs);
  const allDone = (count: number, limitMs: number): Promise<void> =>
    bench.clock.until('all are done', () => numbers(count).every(isDone), limitMs);
  /** Every change takes so long to be answered from now on. */
  const changesTake = (ms: number): void => bench.host().script.inject('plug', { kind: 'answer-late', ms }, 100_000);
  const saidBusy = (): number =>
    bench.resources.writes.filter((status) => JSON.stringify(status).includes('"HostBusy"')).length;

  it('the last of 500 is done when the work before it is, and nobody was told that the host is busy', async () => {
    const count = 500;
    const changeMs = 50;
    await start(count);
    for (const number of numbers(count)) want(number, '256Mi');
    await allDone(count, 60_000);
    changesTake(changeMs);
    const startedMs = bench.clock.now();
    for (const number of numbers(count)) want(number, '384Mi');
    await allDone(count, (1.2 * count * changeMs) / places);
    const tookMs = bench.clock.now() - startedMs;
    expect(tookMs).toBeGreaterThanOrEqual((count * changeMs) / places);
    expect(saidBusy()).toBe(0);
  });

  it('no place is empty while the next in line are looked at', async () => {
    const count = 100;
    const changeMs = 50;
    await start(count);
    for (const number of numbers(count)) want(number, '256Mi');
    await allDone(count, 60_000);
    changesTake(changeMs);
    bench.host().script.inject('observe', { kind: 'answer-late', ms: changeMs / 2 }, 100_000);
    for (const number of numbers(count)) want(number, '384Mi');
    const changed = () =>
      numbers(count).every((number) => bench.host().script.total(uuidOfNumber(number)) === mib(384));
    await bench.clock.until('all are changed', changed, (1.2 * count * changeMs) / places);
    await allDone(count, 60_000);
  });

  it('as many change at once as the host has places for, whatever the workers', async () => {
    const count = 40;
    bench = await createControllerBench(domains(1, count), {
      hostSpec: { maxConcurrentOperations: 64, memoryOvercommit: '16.0' },
    });
    changesTake(20_000);
    for (const number of numbers(count)) want(number, '384Mi');
    await bench.clock.advance(1_000);
    expect(bench.host().script.calls().plug).toBe(count);
    await allDone(count, 30_000);
  });

  it('goes by order of arrival: nobody is passed by whoever came later', async () => {
    await start(100);
    changesTake(100);
    for (const number of numbers(100)) want(number, '2Gi');
    await allDone(100, 10_000);
    const plugged = bench
      .host()
      .script.changes()
      .filter(({ what }) => what === 'plugged');
    const order = plugged.map(({ uuid }) => Number(uuid.slice(-12)));
    // Those that are looked at side by side may change places with their neighbours.
    order.forEach((number, index) => expect(Math.abs(number - 1 - index)).toBeLessThan(16));
  });

  it('a place that is free is taken at once, whatever another host does', async () => {
    await start(60);
    bench.addHost('hv-2', domains(61, 62));
    // By uuid: both hosts are asked where it is.
    want(61, '1Gi');
    await done(61, 1_000);
    const { script } = bench.host();
    for (const operation of ['observe', 'listDomains', 'facts'] as const) {
      script.inject(operation, { kind: 'hang', ms: 5_000 }, 100_000);
    }
    script.emit({ kind: 'reset' });
    for (const number of numbers(60)) want(number, '2Gi', { hostRef: { name: 'hv-1' } });
    await bench.clock.advance(100);
    want(62, '2Gi', { hostRef: { name: 'hv-2' } });
    await done(62, 1_000);
    want(61, '2Gi', { hostRef: { name: 'hv-2' } });
    await done(61, 1_000);
  });

  it('a host that does not answer holds up those of another for less than a second, and not at every look', async () => {
    await start(1);
    bench.addHost('hv-2', domains(2, 40));
    want(1, '2Gi');
    await done(1, 1_000);
    bench.host().script.inject('listDomains', { kind: 'hang', ms: 5_000 }, 100_000);
    const others = numbers(40).slice(1);
    for (const memory of ['2Gi', '3Gi']) {
      // It is asked again what runs there.
      bench.host().script.emit({ kind: 'reset' });
      for (const number of others) want(number, memory);
      await bench.clock.until('all of the other host are done', () => others.every(isDone), 1_000);
    }
  });

  it("a user's change passes all that nobody waits for", async () => {
    await start(101);
    for (const number of numbers(101)) want(number, '2Gi');
    await allDone(101, 60_000);
    const { script } = bench.host();
    changesTake(1_000);
    // By hand, so that all hundred are to be mended, 25 s of work.
    for (const number of numbers(100)) script.unplugByHand(uuidOfNumber(number), 0);
    await bench.clock.advance(1_500);
    const before = script.changes().filter(({ what }) => what === 'plugged').length;
    want(101, '3Gi');
    const wished = () => script.total(uuidOfNumber(101)) === gib(3);
    await bench.clock.until('the wish is fulfilled', wished, 2_100);
    expect(script.changes().filter(({ what }) => what === 'plugged').length - before).toBeLessThanOrEqual(2 * places);
    // So does a wish for a VM that waits in line already.
    want(100, '4Gi');
    await bench.clock.until('its turn comes', () => script.total(uuidOfNumber(100)) >= gib(4), 2_100);
    await allDone(101, 60_000);
  });

  it('whoever waits for long says so, if it needs something, and goes on by itself', async () => {
    await start(12);
    for (const number of numbers(12)) want(number, number <= 10 ? '1Gi' : '2Gi');
    await allDone(12, 60_000);
    changesTake(20_000);
    for (const number of numbers(10)) want(number, '2Gi');
    await bench.clock.advance(9_000);
    expect(saidBusy()).toBe(0);
    await bench.clock.advance(2_000);
    const busy = numbers(12).filter((number) => bench.reason(nameOf(number)) === 'HostBusy');
    expect(busy).toEqual([5, 6, 7, 8, 9, 10]);
    expect(bench.condition('Ready', nameOf(10))).toMatchObject({
      status: 'False',
      message: 'host hv-1 is at its limit of 4 operations at once; this VM waits in line',
    });
    expect(bench.condition('Reconciling', nameOf(10))?.status).toBe('True');
    await allDone(12, 60_000);
    expect(saidBusy()).toBe(6);
    const told = bench.events.events.filter(({ reason }) => reason === 'HostBusy');
    expect(told.map(({ key, type }) => `${key} ${type}`).toSorted()).toEqual(
      busy.map((number) => `tenants/${nameOf(number)} Warning`).toSorted(),
    );
    expect(
      bench
        .host()
        .script.changes()
        .filter(({ what }) => what === 'plugged'),
    ).toHaveLength(22);
  });

  it('what is no longer wanted when its turn comes is not done', async () => {
    await start(12);
    changesTake(20_000);
    for (const number of numbers(12)) want(number, '2Gi');
    await bench.clock.advance(1_000);
    // By an annotation, which leaves the generation as it is.
    for (const number of [10, 11]) bench.apply({}, nameOf(number), { 'dimmer.dev/paused': 'true' });
    bench.resources.remove(`tenants/${nameOf(12)}`);
    const host = bench.hosts.get('hv-1');
    if (host === undefined) throw new Error('no host');
    bench.hosts.apply({ ...host, spec: { ...host.spec, cordoned: true } });
    await bench.clock.advance(120_000);
    const reasons = numbers(11).map((number) => bench.reason(nameOf(number)));
    expect(reasons.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => 'Converged'));
    expect(reasons.slice(4, 9)).toEqual(Array.from({ length: 5 }, () => 'HostCordoned'));
    expect(reasons.slice(9)).toEqual(['Paused', 'Paused']);
    expect(bench.host().script.calls().plug).toBe(4);
  });

  it('more places are used as soon as the host has them', async () => {
    await start(12);
    changesTake(20_000);
    for (const number of numbers(12)) want(number, '2Gi');
    await bench.clock.advance(1_000);
    const host = bench.hosts.get('hv-1');
    if (host === undefined) throw new Error('no host');
    bench.hosts.apply({ ...host, spec: { ...host.spec, maxConcurrentOperations: 12 } });
    await allDone(12, 22_000);
  });

  it('ends although many wait, and the next controller takes it up', async () => {
    await start(40);
    changesTake(1_000);
    for (const number of numbers(40)) want(number, '2Gi');
    await bench.clock.advance(1_500);
    await bench.restart();
    await allDone(40, 20_000);
    expect(
      bench
        .host()
        .script.changes()
        .filter(({ what }) => what === 'plugged'),
    ).toHaveLength(40);
  });

  it('who has what it wants is not told busy because there was no time to look at it', async () => {
    await start(1);
    want(1, '2Gi');
    await bench.reaches('Converged', nameOf(1));
    const { script } = bench.host();
    for (const code of ['too-many-requests', 'busy'] as const) {
      script.inject('observe', { kind: 'fail', error: hostError(code, 'much to do') }, 100_000);
      script.emit({ kind: 'statistics', uuid: uuidOfNumber(1) });
      await bench.clock.advance(40_000);
      expect([code, bench.reason(nameOf(1)), bench.condition('Ready', nameOf(1))?.status]).toEqual([
        ...[code, 'Converged', 'True'],
      ]);
      // After a minute or so nobody knows any more whether it still has it.
      await bench.reaches(code === 'busy' ? 'VMBusy' : 'HostBusy', nameOf(1), 120_000);
      script.restartAgent();
      script.clearFaults();
      await bench.reaches('Converged', nameOf(1), 6_000);
    }
  });

  it('a host or a VM that was busy often costs seconds, never minutes', async () => {
    await start(1);
    const { script } = bench.host();
    for (const code of ['busy', 'too-many-requests'] as const) {
      script.inject('plug', { kind: 'fail', error: hostError(code, 'much to do') }, 20);
      const before = script.calls().plug;
      want(1, code === 'busy' ? '2Gi' : '3Gi');
      await bench.clock.until('it is no longer busy', () => script.calls().plug >= before + 20, 200_000);
      await done(1, 6_000);
    }
  });

  it('what a user changes begins anew, however often it has failed before', async () => {
    await start(1);
    const { script } = bench.host();
    script.inject('plug', { kind: 'fail', error: hostError('internal-error', 'a fault on purpose') }, 12);
    want(1, '2Gi');
    await bench.clock.until('it has failed often', () => script.calls().plug === 11, 3_600_000);
    want(1, '3Gi');
    await done(1, 2_000);
    expect(script.total(uuidOfNumber(1))).toBe(gib(3));
  });
});
