/** A resource with deletionPolicy Release that is deleted: what leaves the VM, and that it goes in any case. */
import { afterEach, describe, expect, it } from 'vitest';
import { timestamp } from '../../../src/api/v1alpha1/conditions.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { hostError } from '../../../src/host/errors.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
const finalizer = 'dimmer.dev/release';
const timeoutMs = 600_000;

let bench: ControllerBench;
afterEach(() => bench.close());
const script = () => bench.host().script;
const finalizers = () => bench.resources.get('tenants/vm')?.metadata.finalizers ?? [];
const isGone = () => bench.resources.get('tenants/vm') === undefined;
const claim = () => script().domain(vmUuid).operations.claim;
const unplugs = () =>
  script()
    .changes()
    .filter(({ what }) => what === 'asked');
/** What was told of the end: one event, of one of two kinds. */
const told = () =>
  bench.events.events
    .filter(({ reason }) => reason === 'Released' || reason === 'ReleaseIncomplete')
    .map(({ type, reason, message }) => `${type} ${reason} ${message}`);

/** A VM of 1Gi that has been given 2Gi more, in two modules. */
async function open(spec: object = {}, options: Parameters<typeof createControllerBench>[1] = {}): Promise<void> {
  bench = await createControllerBench([domain], options);
  bench.apply({ memory: '2Gi', deletionPolicy: 'Release', ...spec });
  await bench.reaches('Converged');
  bench.apply({ memory: '3Gi' });
  await bench.reaches('Converged');
  // Long enough for the guest to have said what it has.
  await bench.clock.advance(20_000);
}

/** Until it is gone; gives how long that took, ms. */
async function untilGone(limitMs = 2 * timeoutMs): Promise<number> {
  const startMs = bench.clock.now();
  await bench.clock.until('it is gone', isGone, limitMs);
  return bench.clock.now() - startMs;
}

describe('the finalizer', () => {
  it('is there with Release only, before anything is plugged, and beside those of others', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    expect(finalizers()).toEqual([]);
    const stored = bench.resources.get('tenants/vm');
    if (stored === undefined) throw new Error('not there');
    await bench.resources.writeFinalizers(stored, ['acme.io/backup']);
    script().inject('plug', { kind: 'hang', ms: 30_000 });
    bench.apply({ memory: '3Gi', deletionPolicy: 'Release' });
    await bench.clock.advance(1_000);
    expect(finalizers()).toEqual(['acme.io/backup', finalizer]);
    await bench.reaches('Converged');
    bench.apply({ deletionPolicy: 'Retain' });
    await bench.reaches('Converged');
    expect(finalizers()).toEqual(['acme.io/backup']);
    expect(script().total(vmUuid)).toBe(gib(3));
  });

  it('is not set by a controller that only observes', async () => {
    bench = await createControllerBench([domain], { observeOnly: true });
    bench.apply({ memory: '2Gi', deletionPolicy: 'Release' });
    await bench.reaches('Paused');
    expect(finalizers()).toEqual([]);
    bench.delete();
    await untilGone(1_000);
  });

  it('that cannot be set is told of, and set when it can be; the VM gets its size meanwhile', async () => {
    bench = await createControllerBench([domain]);
    const { finalizerFailures } = bench.resources;
    const refused = { outcome: 'failed', message: '403: forbidden', retryable: true } as const;
    finalizerFailures.push(...Array.from({ length: 100 }, () => refused));
    bench.apply({ memory: '2Gi', deletionPolicy: 'Release' });
    await bench.reaches('Converged');
    expect(finalizers()).toEqual([]);
    expect(bench.events.events).toContainEqual(
      expect.objectContaining({ type: 'Warning', reason: 'FinalizerNotWritten' }),
    );
    finalizerFailures.length = 0;
    await bench.clock.advance(31_000);
    expect(finalizers()).toEqual([finalizer]);
  });

  it('that meets another write is set at the next look', async () => {
    bench = await createControllerBench([domain]);
    bench.resources.finalizerFailures.push({ outcome: 'conflict' });
    bench.apply({ memory: '2Gi', deletionPolicy: 'Release' });
    await bench.reaches('Converged');
    expect(finalizers()).toEqual([finalizer]);
  });
});

describe('a deletion with Release', () => {
  it('waits until what Dimmer plugged has left, and gives the claim up', async () => {
    await open();
    expect(claim()).not.toBeNull();
    bench.delete();
    expect(await untilGone()).toBeLessThan(60_000);
    expect(script().total(vmUuid)).toBe(gib(1));
    expect(claim()).toBeNull();
    expect(told()).toEqual([
      'Normal Released VM db-1 has none of the modules that Dimmer plugged any more, and nobody acts on it',
    ]);
    // One after the other, each judged by what the guest has then.
    expect(unplugs()).toHaveLength(2);
  });

  it('leaves what somebody else has plugged', async () => {
    await open({ driftPolicy: 'Report' });
    script().plugByHand(vmUuid, { slot: 9, size: gib(1), alias: 'ua-by-hand' });
    await bench.reaches('DriftReported');
    bench.delete();
    await untilGone();
    expect(
      script()
        .domain(vmUuid)
        .modules.map(({ alias }) => alias),
    ).toEqual(['ua-by-hand']);
    expect(told()).toEqual([expect.stringContaining('Normal Released')]);
  });

  it('says how far it is in the status meanwhile', async () => {
    await open();
    script().setUnplugBehaviour(vmUuid, 'all', 'silent');
    const deadline = timestamp(bench.clock.now() + timeoutMs);
    bench.delete();
    await bench.reaches('Releasing');
    expect(bench.condition('Reconciling')?.status).toBe('True');
    expect(bench.status().release).toEqual({ deadline, left: '2Gi' });
    await bench.reaches('UnplugUnknown');
    expect(bench.condition('Ready')?.message).toMatch(
      /^what Dimmer plugged is taken out before this resource goes, until /,
    );
    const leaving = script().domain(vmUuid).operations.marks[0]?.slot ?? -1;
    script().letGo(vmUuid, leaving);
    await bench.clock.until('one is gone', () => bench.status().release?.left === '1Gi');
  });

  it.each([1, 2, 3, 5, 8])('goes on wherever the controller was killed (%d)', async (steps) => {
    await open();
    bench.delete();
    await bench.clock.advance(steps * 13);
    await bench.restart();
    await untilGone();
    expect(script().total(vmUuid)).toBe(gib(1));
    expect(claim()).toBeNull();
    expect(told()).toHaveLength(1);
  });

  it('takes memory in use from no guest, whatever its guestSafety', async () => {
    await open({ guestSafety: 'Off' });
    script().setUsed(vmUuid, mib(1500));
    bench.delete();
    await bench.reaches('GuestMemoryInUse');
    // One of the two can go.
    expect(script().total(vmUuid)).toBe(gib(2));
    expect(await untilGone()).toBeLessThanOrEqual(timeoutMs);
    expect(script().total(vmUuid)).toBe(gib(2));
    expect(told()).toEqual([
      expect.stringMatching(
        /^Warning ReleaseIncomplete VM db-1: what Dimmer plugged stays plugged: ua-dimmer-\d \(1Gi\); .*releaseTimeout/,
      ),
    ]);
  });

  it('takes what can go where the guest refuses one module', async () => {
    await open();
    script().setUnplugBehaviour(vmUuid, [1], 'refuse', { times: 1000 });
    bench.delete();
    await bench.reaches('GuestRefused');
    await bench.clock.until('the other is gone', () => script().total(vmUuid) === gib(2));
    await untilGone();
    expect(told()).toEqual([expect.stringContaining('ua-dimmer-1 (1Gi)')]);
    // Nobody holds it any more: whoever comes next may have it.
    expect(claim()).toBeNull();
  });

  it('takes out what was plugged for a size that nobody wants any more', async () => {
    await open();
    const stored = bench.resources.get('tenants/vm');
    if (stored === undefined) throw new Error('not there');
    const { memory: _, ...spec } = stored.spec;
    bench.resources.apply({ ...stored, spec });
    await bench.reaches('ObserveOnly');
    bench.delete();
    await untilGone();
    expect(script().total(vmUuid)).toBe(gib(1));
  });

  it('of a resource that never changed anything takes nothing', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '1Gi', deletionPolicy: 'Release' });
    await bench.reaches('Converged');
    bench.delete();
    expect(await untilGone()).toBeLessThan(1_000);
    expect(told()).toEqual([expect.stringContaining('Normal Released')]);
    expect(unplugs()).toEqual([]);
  });

  it('leaves the claim to an agent that can not give one up', async () => {
    await open();
    script().inject('releaseClaim', { kind: 'fail', error: hostError('no-such-route', 'no such route') }, 10);
    bench.delete();
    expect(await untilGone()).toBeLessThan(60_000);
    expect(script().total(vmUuid)).toBe(gib(1));
    expect(told()).toEqual([expect.stringContaining('Normal Released')]);
  });

  it.each([
    ['its answer is lost', { kind: 'lose-answer' as const }],
    ['it is refused for a moment', { kind: 'fail' as const, error: hostError('busy', 'busy') }],
    ['the VM has changed', { kind: 'fail' as const, error: hostError('stale-revision', 'stale') }],
  ])('gives the claim up also where %s', async (_, fault) => {
    await open();
    script().inject('releaseClaim', fault);
    bench.delete();
    await untilGone();
    expect(claim()).toBeNull();
    expect(told()).toEqual([expect.stringContaining('Normal Released')]);
  });

  it('without Release changes nothing and waits for nothing', async () => {
    await open({ deletionPolicy: 'Retain' });
    bench.delete();
    expect(isGone()).toBe(true);
    await bench.clock.advance(timeoutMs);
    expect(script().total(vmUuid)).toBe(gib(3));
    expect(told()).toEqual([]);
  });

  it('waits where the finalizer can not be taken away', async () => {
    await open();
    bench.resources.finalizerFailures.push(
      { outcome: 'failed', message: 'down', retryable: true },
      { outcome: 'conflict' },
    );
    bench.delete();
    await untilGone();
    expect(told()).toHaveLength(1);
  });
});

const stays =
  /^Warning ReleaseIncomplete VM db-1: what Dimmer plugged (stays plugged|was plugged when it was last seen): ua-dimmer-0 \(1Gi\), ua-dimmer-1 \(1Gi\); /;
const nothing = /^Warning ReleaseIncomplete VM db-1: nothing that Dimmer plugged stays plugged; /;

describe('a deletion with Release ends, with a warning that says what stays plugged,', () => {
  /** `gone`: at once; `late`: when releaseTimeout is over. */
  type Way = {
    readonly what: string;
    readonly happens: () => void;
    readonly when: 'at once' | 'late';
    readonly why: RegExp;
    readonly left: RegExp;
  };
  const way = (what: string, happens: () => void, when: Way['when'], why: RegExp, left = stays): Way => ({
    what,
    happens,
    when,
    why,
    left,
  });
  const ways: readonly Way[] = [
    way('the host object is gone', () => bench.hosts.remove('hv-1'), 'at once', /found on no host/),
    way(
      'the host is unreachable',
      () => script().setReachable(false),
      'late',
      /releaseTimeout is over: .*host hv-1: The simulated host is down/,
    ),
    way(
      'the guest refuses',
      () => script().setUnplugBehaviour(vmUuid, 'all', 'refuse'),
      'late',
      /releaseTimeout is over: .*refused/,
    ),
    way('the guest is silent', () => script().setUnplugBehaviour(vmUuid, 'all', 'silent'), 'late', /hasn't answered/),
    way(
      'the guest uses its memory',
      () => script().setUsed(vmUuid, mib(2900)),
      'late',
      /memory that the guest is using/,
    ),
    way('the guest reports nothing', () => script().setReports(vmUuid, false), 'late', /releaseTimeout is over/),
    way('the VM is paused', () => script().pause(vmUuid), 'late', /releaseTimeout is over/),
    way('the VM is off', () => script().shutDown(vmUuid), 'at once', /is ShutOff/, nothing),
    way('the VM is gone', () => void script().depart(vmUuid), 'at once', /found on no host/),
    way(
      'the VM has migrated to a host that is out of reach',
      () => {
        const left = script().depart(vmUuid);
        bench.addHost('hv-2', [], { allowedNamespaces: { from: 'None' } });
        bench.host('hv-2').script.arrive(left);
      },
      'at once',
      /found on no host/,
    ),
    way('the VM is migrating all the time', () => script().setMigrating(vmUuid, true), 'late', /is migrating/),
    way(
      'another cluster has claimed the VM',
      () => claimAs({ clusterId: 'another-cluster', objectUid: 'theirs' }),
      'at once',
      /claimed by another cluster/,
    ),
    way('another object has claimed the VM', () => claimAs({ objectUid: 'theirs' }), 'at once', /another's/),
    way(
      'the VM is reserved for another namespace',
      () => script().setOwner(vmUuid, 'rivals'),
      'at once',
      /found on no host/,
    ),
    way(
      'its namespace may not use the host any more',
      () => bench.changeHost('hv-1', { allowedNamespaces: { from: 'None' } }),
      'at once',
      /found on no host/,
    ),
    way(
      'it is paused by annotation',
      () => bench.apply({}, 'vm', { 'dimmer.dev/paused': 'true' }),
      'at once',
      /paused by annotation/,
    ),
    way('it is paused by its spec', () => bench.apply({ paused: true }), 'at once', /paused by spec.paused/),
    way(
      'Release was switched back to Retain',
      () => bench.apply({ deletionPolicy: 'Retain' }),
      'at once',
      /deletionPolicy is Retain/,
    ),
    way('its spec makes no sense', () => bench.apply({ granularity: 'coarse' }), 'at once', /spec can't be read/),
    way(
      'the host answers nothing at all',
      () => script().inject('observe', { kind: 'hang', ms: 3_600_000 }, 100),
      'late',
      /releaseTimeout/,
    ),
    way(
      'the host is at its limit all the time',
      () => script().inject('unplug', { kind: 'fail', error: hostError('too-many-requests', 'too many') }, 100_000),
      'late',
      /releaseTimeout/,
    ),
  ];

  /** The claim of somebody else, as it would stand there. */
  function claimAs(other: object): void {
    const state = script().domain(vmUuid) as { operations: { claim: object | null } };
    state.operations = { ...state.operations, claim: { ...state.operations.claim, ...other } };
  }

  it.each(ways.filter(({ what }) => !what.includes('Retain')))('when $what', async ({ happens, when, why, left }) => {
    await open();
    // It is stuck already when that happens: a deletion that goes through at once meets nothing.
    script().setUnplugBehaviour(vmUuid, 'all', 'refuse', { times: 2 });
    happens();
    bench.delete();
    const tookMs = await untilGone();
    if (when === 'at once') expect(tookMs).toBeLessThan(5_000);
    else expect(Math.abs(tookMs - timeoutMs)).toBeLessThanOrEqual(5_000);
    expect(told()).toEqual([expect.stringMatching(left)]);
    expect(told()[0]).toMatch(why);
  });

  it.each(ways)('also when that happens in the middle of it: $what', async ({ happens, when, why }) => {
    await open();
    script().setUnplugBehaviour(vmUuid, 'all', 'silent');
    bench.delete();
    await bench.clock.advance(200_000);
    expect(isGone()).toBe(false);
    happens();
    const tookMs = await untilGone();
    expect(tookMs).toBeLessThanOrEqual(timeoutMs - 200_000 + 5_000);
    // Who isn't told of it hears of it when the VM is looked at next.
    if (when === 'at once') expect(tookMs).toBeLessThan(200_000);
    expect(told()).toHaveLength(1);
    expect(told()[0]).toMatch(/^Warning ReleaseIncomplete /);
    if (when === 'at once') expect(told()[0]).toMatch(why);
  });

  it('when the controller only observes', async () => {
    await open();
    bench.delete();
    await bench.close();
    const { resources } = bench;
    const other = await createControllerBench([domain], { observeOnly: true });
    try {
      const stored = resources.get('tenants/vm');
      if (stored === undefined) throw new Error('not there');
      other.resources.apply(stored);
      await other.clock.until('it is gone', () => other.resources.get('tenants/vm') === undefined, 5_000);
      const event = other.events.events.find(({ reason }) => reason === 'ReleaseIncomplete');
      expect(event?.message).toMatch(/paused by --observe-only/);
      expect(event?.message).toContain('ua-dimmer-0 (1Gi), ua-dimmer-1 (1Gi)');
    } finally {
      await other.close();
    }
  });

  it('when nobody was there before its time was over', async () => {
    await open();
    await bench.restart(() => undefined);
    script().setReachable(false);
    bench.delete();
    await bench.restart();
    await bench.clock.advance(1_000);
    expect(isGone()).toBe(false);
    await untilGone();
    expect(told()).toEqual([expect.stringMatching(stays)]);
  });

  it('after releaseTimeout as it is set', async () => {
    await open({ releaseTimeout: '90s' });
    script().setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.delete();
    expect(Math.abs((await untilGone()) - 90_000)).toBeLessThanOrEqual(3_000);
  });
});

describe('the next resource', () => {
  it('has the VM that the one before had to leave', async () => {
    await open({ releaseTimeout: '90s' });
    script().setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '4Gi' }, 'next');
    await bench.reaches('DuplicateClaim', 'next');
    bench.delete();
    await untilGone();
    await bench.reaches('Converged', 'next');
    expect(script().total(vmUuid)).toBe(gib(4));
    expect(claim()).toMatchObject({ objectUid: bench.resources.get('tenants/next')?.metadata.uid });
  });
});
