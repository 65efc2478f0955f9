/** What every implementation of the host port does: the simulated host and the agent on a real libvirt alike. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Bytes, bytes, gib, mib, sumBytes } from '../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../src/memory/module.ts';
import { isShownAsOf } from '../../src/host/event-order.ts';
import { withLeadership } from '../../src/host/leadership.ts';
import type { DomainObservation, GuestStatistics, Host } from '../../src/host/port.ts';
import {
  claim,
  codeOf,
  collectEvents,
  type ContractBench,
  eventually,
  leadershipOf,
  observedUntil,
  plugRequest,
  settled,
  unplugRequest,
  valueOf,
} from './bench.ts';

const size = mib(128);

/** What an answer tells and a look right after it shows, too; guests go on reporting in between. */
const whatIs = (observation: DomainObservation | undefined) => {
  const { uuid, runtimeId, layout, claim: held, replacement, revision } = observation ?? {};
  return { uuid, runtimeId, modules: layout?.modules, slots: layout?.slots, held, replacement, revision };
};

/** The thing under test, and what is done to it again and again. */
function kitOf(bench: ContractBench) {
  const observe = async (): Promise<DomainObservation> => valueOf(await bench.host.observe(bench.uuid));
  const plug = async (slot: number, more = {}) => {
    const { revision } = await observe();
    return bench.host.plug(bench.uuid, revision, plugRequest(slot, size, more));
  };
  return {
    bench,
    observe,
    plug,
    unplug: async (slot: number, more = {}) => {
      await bench.beforeUnplug();
      const { revision } = await observe();
      return bench.host.unplug(bench.uuid, revision, unplugRequest(slot, more));
    },
    gone: (slot: number) =>
      observedUntil(bench, `slot ${slot} is empty`, ({ layout }) => !layout?.modules.some((m) => m.slot === slot)),
    /** Plugs modules into the first slots, and waits until the guest says that it has them all. */
    grow: async (sizes: readonly Bytes[]): Promise<GuestStatistics> => {
      const before = await settled(bench);
      for (const [slot, each] of sizes.entries()) valueOf(await plug(slot, { size: each }));
      const expected = (before.guest?.total ?? 0) + sumBytes(sizes);
      const { guest } = await observedUntil(bench, 'the guest has all', (o) => (o.guest?.total ?? 0) >= expected);
      if (guest === null) throw new Error('unreachable');
      return guest;
    },
    /** Collects what is told of this domain, and of the host. */
    watch: () => collectEvents(bench.host, bench.uuid),
  };
}

/**
 * Declares the suite; `create` gives each test a bench of its own. The tests run side by side, `maxConcurrency` of the
 * file at a time: most of what they do is to wait for a guest's reports.
 */
export function describeHostContract(name: string, create: () => Promise<ContractBench>): void {
  const test = (title: string, body: (kit: ReturnType<typeof kitOf>) => Promise<void>): void =>
    it.concurrent(title, async () => {
      const bench = await create();
      try {
        await body(kitOf(bench));
      } finally {
        await bench.dispose();
      }
    });

  describe(`host contract: ${name}`, () => {
    test('observes without changing anything', async (on) => {
      const first = await on.observe();
      const second = await on.observe();
      expect(second.revision).toBe(first.revision);
      expect(first).toMatchObject({ uuid: on.bench.uuid, state: 'Running', claim: null, migrating: false });
      expect(first.runtimeId).not.toBeNull();
      expect(first.layout?.modules).toEqual([]);
    });

    test('says what the guest had without modules, and since when it has those that it has', async (on) => {
      const bare = await observedUntil(on.bench, 'the guest was seen without modules', (seen) => {
        return seen.guest?.fresh === true && seen.guest.totalWithoutModules !== null;
      });
      expect(bare.guest?.totalWithoutModules).toBe(bare.guest?.total);
      await on.bench.plugByHand(0, size);
      const plugged = await observedUntil(on.bench, 'the guest has the module', ({ guest, layout }) => {
        return layout?.modules.length === 1 && (guest?.total ?? 0) > (bare.guest?.total ?? 0);
      });
      expect(plugged.guest?.totalWithoutModules).toBe(bare.guest?.total);
      expect((plugged.guest?.total ?? 0) - (bare.guest?.total ?? 0)).toBe(size);
      expect(plugged.unchangedSinceMs).toBeGreaterThan(bare.observedAtMs - 1_000);
      expect(plugged.unchangedSinceMs).toBeLessThanOrEqual(plugged.observedAtMs);
      expect((await on.observe()).unchangedSinceMs).toBe(plugged.unchangedSinceMs);
      expect(plugged.layout?.hidden).toBeNull();
    });

    test('lists its domains and tells about the host', async (on) => {
      const domains = valueOf(await on.bench.host.listDomains());
      expect(domains.map((domain) => domain.uuid)).toEqual(
        expect.arrayContaining([on.bench.uuid, on.bench.stoppedUuid]),
      );
      const facts = valueOf(await on.bench.host.facts());
      expect(facts.memory.committed).toBeGreaterThan(0);
      expect(facts.memory.total).toBeGreaterThanOrEqual(facts.memory.available);
      expect(facts.nodes.length).toBeGreaterThan(0);
    });

    test('plugs a module where it was told to, claims the VM and gives the next revision', async (on) => {
      const watching = on.watch();
      const before = await on.observe();
      const answer = valueOf(await on.plug(2));
      const after = await on.observe();
      expect(answer).toMatchObject({ done: true, revision: after.revision });
      expect(whatIs(answer.observation)).toEqual(whatIs(after));
      expect(after.claim).toEqual(claim);
      expect(after.layout?.modules).toMatchObject([
        { slot: 2, size, node: 0, alias: aliasOfSlot(2), state: 'Plugged', mark: null },
      ]);
      const told = await eventually(
        'the plug is told',
        () => watching.events.find((event) => event.kind === 'module-added') ?? null,
      );
      watching.stop();
      // A look before the plug can't show it, one after the event does.
      const id = 'uuid' in told ? told.id : undefined;
      expect(isShownAsOf(id, before.asOfEvent)).toBe(false);
      expect(isShownAsOf(id, (await on.observe()).asOfEvent)).toBe(true);
    });

    test('lets plugs of one plan follow each other by the revision each answer gives', async (on) => {
      const { revision } = await on.observe();
      const first = valueOf(await on.bench.host.plug(on.bench.uuid, revision, plugRequest(0, size)));
      const second = valueOf(await on.bench.host.plug(on.bench.uuid, first.revision, plugRequest(1, size)));
      expect(second.revision).toBe((await on.observe()).revision);
      expect((await on.observe()).layout?.modules.map((module) => module.slot)).toEqual([0, 1]);
    });

    test('refuses a change that was planned from another revision', async (on) => {
      const { revision } = await on.observe();
      await on.bench.plugByHand(0, size);
      expect(codeOf(await on.bench.host.plug(on.bench.uuid, revision, plugRequest(1, size)))).toBe('stale-revision');
      expect(codeOf(await on.bench.host.unplug(on.bench.uuid, revision, unplugRequest(0)))).toBe('stale-revision');
      expect((await on.observe()).layout?.modules).toHaveLength(1);
      expect((await on.observe()).claim).toBeNull();
    });

    test('plugs once when the same request comes twice at the same time', async (on) => {
      const { revision } = await on.observe();
      const answers = await Promise.all(
        [1, 2].map(() => on.bench.host.plug(on.bench.uuid, revision, plugRequest(0, size))),
      );
      expect(answers.map(codeOf).toSorted()).toEqual(['ok', 'stale-revision']);
      expect((await on.observe()).layout?.modules).toHaveLength(1);
    });

    test('keeps other clusters, other objects and older generations away', async (on) => {
      valueOf(await on.plug(0, { generation: 5 }));
      expect(codeOf(await on.plug(1, { generation: 4 }))).toBe('old-generation');
      expect(codeOf(await on.unplug(0, { generation: 4 }))).toBe('old-generation');
      expect(codeOf(await on.plug(1, { generation: 6, clusterId: 'another' }))).toBe('claimed-by-other');
      expect(codeOf(await on.plug(1, { generation: 6, objectUid: 'another' }))).toBe('claimed-by-other');
      expect((await on.observe()).claim?.generation).toBe(5);
      // A new object that says which vanished one it replaces starts its generations anew.
      valueOf(await on.plug(1, { generation: 1, objectUid: 'another', replacesUid: claim.objectUid }));
      expect((await on.observe()).claim).toEqual({ ...claim, objectUid: 'another' });
    });

    test('refuses what an earlier leader of the same election sends, and asks nobody else for one', async (on) => {
      const election = `cluster/test/${randomUUID()}`;
      const asLeader = async (epoch: number, slot: number, of = election) => {
        const leadership = leadershipOf(epoch, of);
        const { revision } = await on.observe();
        const led = withLeadership(on.bench.host, leadership);
        return { code: codeOf(await led.plug(on.bench.uuid, revision, plugRequest(slot, size))), ...leadership };
      };
      expect((await asLeader(7, 0)).code).toBe('ok');
      expect(await asLeader(6, 1)).toMatchObject({ code: 'not-leader', refusedBy: [7] });
      expect((await asLeader(1, 1, `${election}-2`)).code).toBe('ok');
      expect(codeOf(await on.plug(2))).toBe('ok');
      expect(await asLeader(7, 3)).toMatchObject({ code: 'ok', refusedBy: [] });
      const former = withLeadership(on.bench.host, leadershipOf(6, election));
      const { revision, layout } = await on.observe();
      expect(layout?.modules.map(({ slot }) => slot)).toEqual([0, 1, 2, 3]);
      await on.bench.beforeUnplug();
      expect(codeOf(await former.unplug(on.bench.uuid, revision, unplugRequest(0)))).toBe('not-leader');
      expect(codeOf(await former.releaseClaim(on.bench.uuid, revision, claim))).toBe('not-leader');
      expect((await on.observe()).claim).toEqual(claim);
      expect((await on.observe()).layout?.modules.map(({ slot, state }) => [slot, state])).toEqual(
        [0, 1, 2, 3].map((slot) => [slot, 'Plugged']),
      );
    });

    test('of leaders that share the hosts obeys the one that knows the newer version of its resource', async (on) => {
      const cluster = randomUUID();
      const shard = (name: string, hostVersion: number | null) =>
        withLeadership(on.bench.host, leadershipOf(1, `${cluster}/test/${name}`), () =>
          hostVersion === null ? null : { hostVersion },
        );
      const plugAs = async (host: Host, slot: number) => {
        const { revision } = await on.observe();
        return codeOf(await host.plug(on.bench.uuid, revision, plugRequest(slot, size)));
      };
      expect(await plugAs(shard('a', 480), 0)).toBe('ok');
      // It learns of the other by its stream, though that has nothing to change; one that only listens has no say.
      for (const host of [shard('b', 500), shard('c', null)]) {
        const watching = collectEvents(host);
        await eventually('the watch has begun', () => (watching.events.length > 0 ? true : null));
        watching.stop();
      }
      expect(await plugAs(shard('a', 490), 1)).toBe('not-leader');
      const { revision } = await on.observe();
      await on.bench.beforeUnplug();
      expect(codeOf(await shard('a', 499).unplug(on.bench.uuid, revision, unplugRequest(0)))).toBe('not-leader');
      expect(await plugAs(shard('b', 495), 1)).toBe('ok');
      expect(await plugAs(shard('a', 501), 2)).toBe('ok');
    });

    test('learns of a leader by the stream of events that it opens', async (on) => {
      const election = `cluster/test/${randomUUID()}`;
      const [older, newer] = [leadershipOf(2_000, election), leadershipOf(2_001, election)];
      const follow = async (leadership: typeof newer) => {
        const watching = collectEvents(withLeadership(on.bench.host, leadership));
        await eventually('the watch has begun', () => (watching.events.length > 0 ? true : null));
        watching.stop();
      };
      await follow(older);
      await follow(newer);
      const { revision } = await on.observe();
      const late = await withLeadership(on.bench.host, older).plug(on.bench.uuid, revision, plugRequest(0, size));
      expect(codeOf(late)).toBe('not-leader');
      expect((await on.observe()).layout?.modules).toEqual([]);
      await follow(older);
      expect(older.refusedBy).toEqual([2_001, 2_001]);
      expect(newer.refusedBy).toEqual([]);
    });

    test('lets the owner take a claim over, at its own generation, and keeps the former out', async (on) => {
      const rival = { objectUid: 'rival', namespace: 'rivals' };
      valueOf(await on.plug(0, { ...rival, generation: 9_000_000_000_000_000 }));
      await on.bench.setOwner(claim.namespace);
      expect((await on.observe()).ownerNamespace).toBe(claim.namespace);
      // Whose right is gone changes nothing more, though the claim is still its own, and learns no names.
      for (const answer of [
        await on.plug(1, { ...rival, generation: 9_000_000_000_000_001 }),
        await on.unplug(0, rival),
      ]) {
        expect(codeOf(answer)).toBe('claimed-by-other');
        expect(JSON.stringify(answer)).not.toMatch(/tenants|22222222/);
      }
      // The owner says whom it replaces, or nothing happens.
      expect(codeOf(await on.plug(1))).toBe('claimed-by-other');
      expect(codeOf(await on.plug(1, { replacesUid: 'somebody-else' }))).toBe('claimed-by-other');
      expect((await on.observe()).claim).toMatchObject(rival);
      valueOf(await on.plug(1, { replacesUid: rival.objectUid }));
      expect((await on.observe()).claim).toEqual(claim);
      const back = { ...rival, generation: 9_000_000_000_000_001, replacesUid: claim.objectUid };
      expect(codeOf(await on.plug(2, back))).toBe('claimed-by-other');
      expect(codeOf(await on.unplug(0, back))).toBe('claimed-by-other');
      expect((await on.observe()).claim).toEqual(claim);
      expect((await on.observe()).layout?.modules.map(({ slot }) => slot)).toEqual([0, 1]);
    });

    test('lets the owner take a claim over with an unplug, and what was asked of the guest before stays asked', async (on) => {
      const rival = { objectUid: 'rival', namespace: 'rivals', generation: 77 };
      valueOf(await on.plug(0, rival));
      await on.bench.setUnplugBehaviour('silent');
      valueOf(await on.unplug(0, rival));
      await on.bench.setOwner(claim.namespace);
      valueOf(await on.unplug(0, { replacesUid: rival.objectUid }));
      const { claim: now, layout } = await on.observe();
      expect(now).toEqual(claim);
      expect(layout?.modules).toMatchObject([{ slot: 0, state: 'Leaving', mark: { attempts: 2, generation: 77 } }]);
      await on.bench.letGo();
      await on.gone(0);
    });

    test('lets nobody but the holder give a claim up; the memory stays, and what was asked to leave stays asked', async (on) => {
      await on.bench.setUnplugBehaviour('silent');
      valueOf(await on.plug(0));
      valueOf(await on.unplug(0));
      const { revision } = await on.observe();
      const release = (more = {}, at = revision) =>
        on.bench.host.releaseClaim(on.bench.uuid, at, { ...claim, ...more });
      expect(codeOf(await release({ clusterId: 'another-cluster' }))).toBe('claimed-by-other');
      expect(codeOf(await release({ objectUid: 'another-object' }))).toBe('claimed-by-other');
      expect(codeOf(await release({}, 'elsewhere'))).toBe('stale-revision');
      expect((await on.observe()).claim).toEqual(claim);

      expect(valueOf(await release())).toEqual({ revision });
      const after = await on.observe();
      expect(after).toMatchObject({ claim: null, revision });
      expect(after.layout?.modules).toMatchObject([{ slot: 0, state: 'Leaving', mark: { attempts: 1 } }]);
      // Who didn't hear the answer asks again.
      expect(valueOf(await release())).toEqual({ revision });
      expect(codeOf(await on.bench.host.releaseClaim(on.bench.stoppedUuid, revision, claim))).not.toBe('ok');
      // Somebody else may have it now.
      valueOf(await on.plug(1, { objectUid: 'another-object' }));
      expect((await on.observe()).claim).toMatchObject({ objectUid: 'another-object' });
      await on.bench.letGo();
    });

    test('tells when a VM gets another owner', async (on) => {
      const watching = on.watch();
      await eventually('the watch has begun', () => (watching.events.length > 0 ? true : null));
      await on.bench.setOwner('tenants');
      await eventually('the owner is told of', () =>
        watching.events.some((event) => event.kind === 'lifecycle') ? true : null,
      );
      watching.stop();
    });

    test('records that a replacement begins, until a newer generation is acted for', async (on) => {
      expect((await on.observe()).replacement).toBeNull();
      valueOf(await on.plug(1, { generation: 3, beginsReplacement: true }));
      expect((await on.observe()).replacement).toEqual({ slot: 1, generation: 3 });
      // Another change for the same generation leaves it.
      valueOf(await on.plug(2, { generation: 3 }));
      expect((await on.observe()).replacement).toEqual({ slot: 1, generation: 3 });
      // A refused change writes nothing.
      expect(codeOf(await on.plug(2, { generation: 4, beginsReplacement: true }))).toBe('rejected');
      expect((await on.observe()).replacement).toEqual({ slot: 1, generation: 3 });
      valueOf(await on.unplug(2, { generation: 3 }));
      await on.gone(2);
      expect((await on.observe()).replacement).toEqual({ slot: 1, generation: 3 });
      valueOf(await on.plug(3, { generation: 4 }));
      expect((await on.observe()).replacement).toBeNull();
    });

    test('rejects modules that cannot be, and leaves no trace', async (on) => {
      const before = await on.observe();
      expect(codeOf(await on.plug(before.layout?.slots.total ?? 0))).toBe('rejected');
      expect(codeOf(await on.plug(0, { node: 9 }))).toBe('rejected');
      expect(codeOf(await on.plug(0, { size: mib(129) }))).toBe('rejected');
      expect(codeOf(await on.plug(0, { size: bytes(0) }))).toBe('rejected');
      expect(codeOf(await on.plug(0, { size: before.layout?.maxMemory }))).toBe('rejected');
      await on.bench.plugByHand(0, size);
      expect(codeOf(await on.plug(0))).toBe('rejected');
      expect((await on.observe()).claim).toBeNull();
    });

    test('plugs where the guest takes it, though a module of odd size lies there', async (on) => {
      const before = await settled(on.bench);
      await on.bench.plugByHand(0, mib(100));
      valueOf(await on.plug(1));
      const expected = (before.guest?.total ?? 0) + size;
      const { layout } = await observedUntil(on.bench, 'the guest has it', (o) => (o.guest?.total ?? 0) >= expected);
      expect(layout?.modules.map((module) => module.base % size)).toEqual([0, 0]);
      expect(layout?.hotplugProblem).toBeNull();
    });

    test('takes out what the guest never took, though the guest could not spare as much', async (on) => {
      await settled(on.bench);
      await on.bench.setOnlines(false);
      const { guest } = await on.observe();
      const large = mib(Math.ceil((guest?.usable ?? 0) / mib(128)) * 128);
      valueOf(await on.plug(0, { size: large }));
      const least = { minUsableAfter: mib(64) };
      const known = await observedUntil(on.bench, 'it is known', (o) => o.guest?.takenOfModules === 0);
      expect(known.guest?.total).toBe(guest?.total);
      valueOf(await on.unplug(0, least));
      await on.gone(0);
      // What it has taken counts as ever.
      await on.bench.setOnlines(true);
      valueOf(await on.plug(1, { size: large }));
      await observedUntil(on.bench, 'the guest has it', (o) => o.guest?.takenOfModules === large);
      const use = await on.bench.useMemory(bytes((guest?.usable ?? 0) - mib(32)));
      expect(codeOf(await on.unplug(1, least))).toBe('guest-memory-in-use');
      expect(await use.isAlive()).toBe(true);
      await use.free();
    });

    test('says of a plug that QEMU has no memory for that it failed, and plugs when there is some', async (on) => {
      await on.bench.setShort(true);
      const answer = await on.plug(0);
      await on.bench.setShort(false);
      expect(codeOf(answer)).toBe('hypervisor-failed');
      expect(answer.ok ? '' : answer.error.message).toContain('Cannot allocate memory');
      const { layout, claim: kept } = await on.observe();
      // The claim had to be written before.
      expect([layout?.modules, layout?.slots.usedByOthers, kept]).toEqual([[], [], claim]);
      valueOf(await on.plug(0));
      expect((await on.observe()).layout?.modules).toMatchObject([{ slot: 0, size }]);
    });

    test('never plugs what the host cannot carry', async (on) => {
      const { memory } = valueOf(await on.bench.host.facts());
      // The other tests' guests give some back meanwhile.
      const committed = Math.max(mib(1), memory.committed - (on.bench.othersMayFree ?? 0));
      expect(codeOf(await on.plug(0, { hostReserve: memory.available }))).toBe('insufficient-host-memory');
      expect(codeOf(await on.plug(0, { hostOvercommit: committed / memory.total }))).toBe('insufficient-host-memory');
      expect(codeOf(await on.plug(0, { pageSize: gib(1), size: gib(1) }))).toBe('hugepages-unavailable');
      expect((await on.observe()).layout?.modules).toEqual([]);
    });

    test('never gives the VMs of a namespace more of the host than its limit, and says what they have', async (on) => {
      const tenant = { clusterId: claim.clusterId, namespace: 'limited' };
      const { layout } = await on.observe();
      const current = sumBytes([...(layout?.boot ?? []), ...(layout?.modules ?? [])].map((part) => part.size));
      const plug = (slot: number, namespaceLimit: Bytes) => on.plug(slot, { ...tenant, namespaceLimit });
      // Nobody's before: all that it has counts.
      const refused = await plug(0, bytes(current + size - 1));
      expect(codeOf(refused)).toBe('namespace-limit');
      expect(await on.observe()).toMatchObject({ claim: null, layout: { modules: [] } });
      valueOf(await plug(0, bytes(current + size)));
      expect(codeOf(await plug(1, bytes(current + 2 * size - 1)))).toBe('namespace-limit');
      expect(valueOf(await on.bench.host.facts()).namespaces).toContainEqual({ ...tenant, committed: current + size });
      valueOf(await plug(1, bytes(current + 2 * size)));
    });

    test('asks the guest for a module, and tells when it is gone; its slot rests', async (on) => {
      valueOf(await on.plug(0));
      const watching = on.watch();
      const asked = valueOf(await on.unplug(0));
      expect(asked.revision).not.toBe('');
      const after = await on.gone(0);
      expect(after.layout?.slots.resting).toEqual([0]);
      expect(after.claim).toEqual(claim);
      await eventually('the removal is told', () =>
        watching.events.some((event) => event.kind === 'module-removed') ? true : null,
      );
      watching.stop();
      expect(codeOf(await on.plug(0))).toBe('busy');
      valueOf(await on.plug(1));
    });

    test('tells a refusal, and the module is no longer leaving', async (on) => {
      await on.bench.setUnplugBehaviour('refuse');
      valueOf(await on.plug(0));
      const watching = on.watch();
      valueOf(await on.unplug(0));
      await eventually('the refusal is told', () =>
        watching.events.some((event) => event.kind === 'module-refused') ? true : null,
      );
      const after = await observedUntil(on.bench, 'the mark is cleared', ({ layout }) =>
        Boolean(layout?.modules.every((module) => module.state === 'Plugged')),
      );
      expect(after.layout?.modules).toMatchObject([{ slot: 0, state: 'Plugged', mark: null }]);
      expect(after.layout?.modules[0]?.refusedAtMs).toBeGreaterThan(0);
      watching.stop();
    });

    test('counts a silent module as leaving, asks for no other, asks again, and notices a late departure', async (on) => {
      await on.bench.setUnplugBehaviour('silent');
      valueOf(await on.plug(0));
      valueOf(await on.plug(1));
      const asked = valueOf(await on.unplug(0));
      const leaving = await on.observe();
      expect(asked.revision).toBe(leaving.revision);
      expect(whatIs(asked.observation)).toEqual(whatIs(leaving));
      expect(leaving.layout?.modules).toMatchObject([
        { slot: 0, state: 'Leaving', mark: { generation: 1, attempts: 1 } },
        { slot: 1, state: 'Plugged' },
      ]);
      expect(codeOf(await on.unplug(1))).toBe('unplug-unsettled');
      // A plug may run beside it.
      valueOf(await on.plug(2));
      valueOf(await on.unplug(0, { generation: 2 }));
      expect((await on.observe()).layout?.modules[0]).toMatchObject({ mark: { generation: 1, attempts: 2 } });
      expect((await on.observe()).revision).not.toBe(leaving.revision);
      await on.bench.letGo();
      await on.gone(0);
    });

    test('refuses to take memory that the guest is using', async (on) => {
      valueOf(await on.plug(0));
      await observedUntil(on.bench, 'the guest reports', ({ guest }) => guest?.fresh === true);
      expect(codeOf(await on.unplug(0, { minUsableAfter: gib(1024) }))).toBe('guest-memory-in-use');
      expect((await on.observe()).layout?.modules).toMatchObject([{ state: 'Plugged' }]);
      await observedUntil(on.bench, 'the guest reports enough', ({ guest }) => (guest?.usable ?? 0) > size + mib(1));
      valueOf(await on.unplug(0, { minUsableAfter: mib(1) }));
      await on.gone(0);
    });

    test('judges by what is left after a module has gone, though the guest has not said so yet', async (on) => {
      const large = mib(256);
      const least = { minUsableAfter: mib(64) };
      // A report that what earlier tests took away has no part in.
      const startedAtMs = Date.now();
      const before = await observedUntil(
        on.bench,
        'the guest reports',
        ({ guest }) => (guest?.reportedAtMs ?? 0) > startedAtMs + 1_000,
      );
      const totalWith = (modules: number): number => (before.guest?.total ?? 0) + modules * large - mib(8);
      valueOf(await on.plug(0, { size: large }));
      valueOf(await on.plug(1, { size: large }));
      const online = await observedUntil(
        on.bench,
        'both are online',
        ({ guest }) => (guest?.total ?? 0) >= totalWith(2),
      );
      // Either module can go, but not both.
      const use = await on.bench.useMemory(bytes((online.guest?.usable ?? 0) - mib(450)));
      await observedUntil(on.bench, 'the use is reported', ({ guest }) => (guest?.usable ?? Infinity) < mib(500));

      valueOf(await on.unplug(0, least));
      const after = await on.gone(0);
      expect(after.guest?.total).toBeLessThanOrEqual(totalWith(1) + mib(16));
      expect(codeOf(await on.unplug(1, least))).toBe('guest-memory-in-use');
      // Nor later, when the guest has said what it has; what was taken off in doubt comes back by then.
      await observedUntil(on.bench, 'the guest reports the rest', ({ guest }) => (guest?.total ?? 0) >= totalWith(1));
      expect(codeOf(await on.unplug(1, least))).toBe('guest-memory-in-use');
      expect(await use.isAlive()).toBe(true);
      expect((await on.observe()).layout?.modules).toMatchObject([{ slot: 1, state: 'Plugged' }]);

      await use.free();
      await observedUntil(on.bench, 'the memory is free again', ({ guest }) => (guest?.usable ?? 0) > mib(500));
      valueOf(await on.unplug(1, least));
      await on.gone(1);
    });

    test('judges an unplug by what the guest has at that moment, whatever it said before', async (on) => {
      const large = mib(256);
      const least = { minUsableAfter: mib(64) };
      const guest = await on.grow([large]);
      const use = await on.bench.useMemory(bytes(guest.usable - mib(160)));
      // Nobody has waited for a report.
      expect(codeOf(await on.unplug(0, least))).toBe('guest-memory-in-use');
      expect((await on.observe()).layout?.modules).toMatchObject([{ state: 'Plugged', mark: null }]);
      expect((await on.observe()).guest?.usable).toBeLessThan(large);
      expect(await use.isAlive()).toBe(true);
      await use.free();
      valueOf(await on.unplug(0, least));
      await on.gone(0);
    });

    test('lets one module after the other go, each judged by a report from after the last one left', async (on) => {
      const guest = await on.grow([size, size, size]);
      // Whoever still counted the last one, or took it off twice, would be wrong by more than this leaves.
      const least = (left: number) => ({ minUsableAfter: bytes(guest.usable - left * size - mib(48)) });
      for (const slot of [0, 1, 2]) {
        valueOf(await on.unplug(slot, least(slot + 1)));
        await on.gone(slot);
      }
      expect((await on.observe()).layout?.modules).toEqual([]);
    });

    test('tells watchers what the guest has after a plug and after a departure', async (on) => {
      const total = (await settled(on.bench)).guest?.total ?? 0;
      const watching = on.watch();
      await eventually('the watch begins', () => (watching.events.length > 0 ? true : null));
      const toldOf = (what: string, expected: number) =>
        eventually(what, async () => {
          const isTold = watching.events.some(({ kind }) => kind === 'statistics');
          return isTold && (await on.observe()).guest?.total === expected ? true : null;
        });
      valueOf(await on.plug(0));
      await toldOf('it is told that the guest has it', total + size);
      watching.events.splice(0);
      valueOf(await on.unplug(0));
      await on.gone(0);
      await toldOf('it is told that the guest has it no more', total);
      watching.stop();
    });

    test('makes the modules of the running VM those of its stored definition, and writes nothing twice', async (on) => {
      const persist = async (more = {}) =>
        on.bench.host.persist(on.bench.uuid, (await on.observe()).revision, { ...claim, ...more });
      const before = await on.bench.storedTotal();
      const bare = await on.observe();
      expect(bare.stored).toMatchObject({ isTransient: false, isSame: true, obstacle: null });
      expect(bare.stored?.memory).toMatchObject({ total: before, slots: 16, maxMemory: bare.layout?.maxMemory });
      valueOf(await on.plug(2));
      valueOf(await on.plug(0));
      await on.bench.plugByHand(1, size);
      const plugged = await on.observe();
      expect(plugged.stored).toMatchObject({ isSame: false, obstacle: null });
      expect(plugged.stored?.memory?.total).toBe(before);
      // Who may not change it, may not write that either.
      expect(codeOf(await on.bench.host.persist(on.bench.uuid, 'x', claim))).toBe('stale-revision');
      expect(codeOf(await persist({ objectUid: 'another' }))).toBe('claimed-by-other');
      const written = valueOf(await persist());
      expect(written.revision).toBe(plugged.revision);
      expect(written.stored).toMatchObject({ isSame: true, obstacle: null });
      expect(written.stored.memory?.total).toBe((before ?? 0) + 3 * size);
      expect(await on.bench.storedTotal()).toBe((before ?? 0) + 3 * size);
      const seen = await on.observe();
      expect(seen).toMatchObject({ stored: written.stored, revision: plugged.revision, layout: plugged.layout });
      expect(valueOf(await persist()).stored).toEqual(written.stored);
      // Without a stored definition there is nothing to write to.
      await on.bench.setTransient(true);
      const transient = await on.observe();
      expect(transient.stored).toMatchObject({ memory: null, isTransient: true, isSame: false });
      expect(codeOf(await persist())).toBe('rejected');
      await on.bench.setTransient(false);
      // What has left is taken out, also what somebody else had plugged; nothing is written while a module is leaving.
      for (const slot of [0, 1, 2]) {
        valueOf(await on.unplug(slot));
        await on.gone(slot);
      }
      expect(valueOf(await persist()).stored).toMatchObject({ isSame: true, memory: { total: before } });
      expect(await on.bench.storedTotal()).toBe(before);
    });

    test('says of a guest that cannot answer that it is late, and asks it when it can', async (on) => {
      const least = { minUsableAfter: mib(1) };
      await on.grow([size]);
      await on.bench.setPaused(true);
      try {
        const { revision } = await on.observe();
        const refused = await on.bench.host.unplug(on.bench.uuid, revision, unplugRequest(0, least));
        expect(codeOf(refused)).toBe('guest-late');
        expect(refused.ok ? '' : refused.error.message).toMatch(/last reported its memory \d+ s ago$/);
        expect((await on.observe()).guest).toMatchObject({ ofThisBoot: true });
      } finally {
        await on.bench.setPaused(false);
      }
      valueOf(await on.unplug(0, least));
      await on.gone(0);
    });

    test('answers what is not there', async (on) => {
      const nobody = '00000000-0000-4000-8000-000000000000';
      expect(codeOf(await on.bench.host.observe(nobody))).toBe('not-found');
      expect(codeOf(await on.bench.host.plug(nobody, 'any', plugRequest(0, size)))).toBe('not-found');
      expect(codeOf(await on.bench.host.unplug(nobody, 'any', unplugRequest(0)))).toBe('not-found');
      expect(codeOf(await on.unplug(3))).toBe('no-such-module');
    });

    test('shows a VM that is off as a value, and changes nothing on it', async (on) => {
      const off = valueOf(await on.bench.host.observe(on.bench.stoppedUuid));
      expect(off).toMatchObject({ state: 'ShutOff', runtimeId: null, layout: null, guest: null, booting: false });
      expect(codeOf(await on.bench.host.plug(on.bench.stoppedUuid, off.revision, plugRequest(0, size)))).toBe(
        'not-running',
      );
    });

    test('begins every watch with a reset', async (on) => {
      const watching = on.watch();
      await eventually('the watch begins', () => (watching.events.length > 0 ? true : null));
      expect(watching.events[0]).toEqual({ kind: 'reset' });
      watching.stop();
    });
  });
}
