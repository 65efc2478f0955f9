/** What every implementation of the host port does: the simulated host and the agent on a real libvirt alike. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bytes, bytes, gib, mib, sumBytes } from '../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../src/memory/module.ts';
import { withLeadership } from '../../src/host/leadership.ts';
import type { DomainObservation, GuestStatistics } from '../../src/host/port.ts';
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

/** Declares the suite; `create` gives a fresh bench for each test. */
export function describeHostContract(name: string, create: () => Promise<ContractBench>): void {
  describe(`host contract: ${name}`, () => {
    let bench: ContractBench;
    beforeEach(async () => {
      bench = await create();
    });
    afterEach(() => bench.dispose());

    const observe = async (): Promise<DomainObservation> => valueOf(await bench.host.observe(bench.uuid));
    const plug = async (slot: number, more = {}) => {
      const { revision } = await observe();
      return bench.host.plug(bench.uuid, revision, plugRequest(slot, size, more));
    };
    const unplug = async (slot: number, more = {}) => {
      await bench.beforeUnplug();
      const { revision } = await observe();
      return bench.host.unplug(bench.uuid, revision, unplugRequest(slot, more));
    };
    const gone = (slot: number) =>
      observedUntil(bench, `slot ${slot} is empty`, ({ layout }) => !layout?.modules.some((m) => m.slot === slot));

    it('observes without changing anything', async () => {
      const first = await observe();
      const second = await observe();
      expect(second.revision).toBe(first.revision);
      expect(first).toMatchObject({ uuid: bench.uuid, state: 'Running', claim: null, migrating: false });
      expect(first.runtimeId).not.toBeNull();
      expect(first.layout?.modules).toEqual([]);
    });

    it('says what the guest had without modules, and since when it has those that it has', async () => {
      const bare = await observedUntil(bench, 'the guest was seen without modules', (seen) => {
        return seen.guest?.fresh === true && seen.guest.totalWithoutModules !== null;
      });
      expect(bare.guest?.totalWithoutModules).toBe(bare.guest?.total);
      await bench.plugByHand(0, size);
      const plugged = await observedUntil(bench, 'the guest has the module', ({ guest, layout }) => {
        return layout?.modules.length === 1 && (guest?.total ?? 0) > (bare.guest?.total ?? 0);
      });
      expect(plugged.guest?.totalWithoutModules).toBe(bare.guest?.total);
      expect((plugged.guest?.total ?? 0) - (bare.guest?.total ?? 0)).toBe(size);
      expect(plugged.unchangedSinceMs).toBeGreaterThan(bare.observedAtMs - 1_000);
      expect(plugged.unchangedSinceMs).toBeLessThanOrEqual(plugged.observedAtMs);
      expect((await observe()).unchangedSinceMs).toBe(plugged.unchangedSinceMs);
      expect(plugged.layout?.hidden).toBeNull();
    });

    it('lists its domains and tells about the host', async () => {
      const domains = valueOf(await bench.host.listDomains());
      expect(domains.map((domain) => domain.uuid)).toEqual(expect.arrayContaining([bench.uuid, bench.stoppedUuid]));
      const facts = valueOf(await bench.host.facts());
      expect(facts.memory.committed).toBeGreaterThan(0);
      expect(facts.memory.total).toBeGreaterThanOrEqual(facts.memory.available);
      expect(facts.nodes.length).toBeGreaterThan(0);
    });

    it('plugs a module where it was told to, claims the VM and gives the next revision', async () => {
      const watching = collectEvents(bench.host);
      const answer = valueOf(await plug(2));
      const after = await observe();
      expect(answer).toEqual({ done: true, revision: after.revision });
      expect(after.claim).toEqual(claim);
      expect(after.layout?.modules).toMatchObject([
        { slot: 2, size, node: 0, alias: aliasOfSlot(2), state: 'Plugged', mark: null },
      ]);
      await eventually('the plug is told', () =>
        watching.events.some((event) => event.kind === 'module-added' && event.uuid === bench.uuid) ? true : null,
      );
      watching.stop();
    });

    it('lets plugs of one plan follow each other by the revision each answer gives', async () => {
      const { revision } = await observe();
      const first = valueOf(await bench.host.plug(bench.uuid, revision, plugRequest(0, size)));
      const second = valueOf(await bench.host.plug(bench.uuid, first.revision, plugRequest(1, size)));
      expect(second.revision).toBe((await observe()).revision);
      expect((await observe()).layout?.modules.map((module) => module.slot)).toEqual([0, 1]);
    });

    it('refuses a change that was planned from another revision', async () => {
      const { revision } = await observe();
      await bench.plugByHand(0, size);
      expect(codeOf(await bench.host.plug(bench.uuid, revision, plugRequest(1, size)))).toBe('stale-revision');
      expect(codeOf(await bench.host.unplug(bench.uuid, revision, unplugRequest(0)))).toBe('stale-revision');
      expect((await observe()).layout?.modules).toHaveLength(1);
      expect((await observe()).claim).toBeNull();
    });

    it('plugs once when the same request comes twice at the same time', async () => {
      const { revision } = await observe();
      const answers = await Promise.all([1, 2].map(() => bench.host.plug(bench.uuid, revision, plugRequest(0, size))));
      expect(answers.map(codeOf).toSorted()).toEqual(['ok', 'stale-revision']);
      expect((await observe()).layout?.modules).toHaveLength(1);
    });

    it('keeps other clusters, other objects and older generations away', async () => {
      valueOf(await plug(0, { generation: 5 }));
      expect(codeOf(await plug(1, { generation: 4 }))).toBe('old-generation');
      expect(codeOf(await unplug(0, { generation: 4 }))).toBe('old-generation');
      expect(codeOf(await plug(1, { generation: 6, clusterId: 'another' }))).toBe('claimed-by-other');
      expect(codeOf(await plug(1, { generation: 6, objectUid: 'another' }))).toBe('claimed-by-other');
      expect((await observe()).claim?.generation).toBe(5);
      // A new object that says which vanished one it replaces starts its generations anew.
      valueOf(await plug(1, { generation: 1, objectUid: 'another', replacesUid: claim.objectUid }));
      expect((await observe()).claim).toEqual({ ...claim, objectUid: 'another' });
    });

    it('refuses what an earlier leader of the same election sends, and asks nobody else for one', async () => {
      const election = `cluster/test/${randomUUID()}`;
      const asLeader = async (epoch: number, slot: number, of = election) => {
        const leadership = leadershipOf(epoch, of);
        const { revision } = await observe();
        const led = withLeadership(bench.host, leadership);
        return { code: codeOf(await led.plug(bench.uuid, revision, plugRequest(slot, size))), ...leadership };
      };
      expect((await asLeader(7, 0)).code).toBe('ok');
      expect(await asLeader(6, 1)).toMatchObject({ code: 'not-leader', refusedBy: [7] });
      expect((await asLeader(1, 1, `${election}-2`)).code).toBe('ok');
      expect(codeOf(await plug(2))).toBe('ok');
      expect(await asLeader(7, 3)).toMatchObject({ code: 'ok', refusedBy: [] });
      const former = withLeadership(bench.host, leadershipOf(6, election));
      const { revision, layout } = await observe();
      expect(layout?.modules.map(({ slot }) => slot)).toEqual([0, 1, 2, 3]);
      await bench.beforeUnplug();
      expect(codeOf(await former.unplug(bench.uuid, revision, unplugRequest(0)))).toBe('not-leader');
      expect(codeOf(await former.releaseClaim(bench.uuid, revision, claim))).toBe('not-leader');
      expect((await observe()).claim).toEqual(claim);
      expect((await observe()).layout?.modules.map(({ slot, state }) => [slot, state])).toEqual(
        [0, 1, 2, 3].map((slot) => [slot, 'Plugged']),
      );
    });

    it('learns of a leader by the stream of events that it opens', async () => {
      const election = `cluster/test/${randomUUID()}`;
      const [older, newer] = [leadershipOf(2_000, election), leadershipOf(2_001, election)];
      const follow = async (leadership: typeof newer) => {
        const watching = collectEvents(withLeadership(bench.host, leadership));
        await eventually('the watch has begun', () => (watching.events.length > 0 ? true : null));
        watching.stop();
      };
      await follow(older);
      await follow(newer);
      const { revision } = await observe();
      const late = await withLeadership(bench.host, older).plug(bench.uuid, revision, plugRequest(0, size));
      expect(codeOf(late)).toBe('not-leader');
      expect((await observe()).layout?.modules).toEqual([]);
      await follow(older);
      expect(older.refusedBy).toEqual([2_001, 2_001]);
      expect(newer.refusedBy).toEqual([]);
    });

    it('lets the owner take a claim over, at its own generation, and keeps the former out', async () => {
      const rival = { objectUid: 'rival', namespace: 'rivals' };
      valueOf(await plug(0, { ...rival, generation: 9_000_000_000_000_000 }));
      await bench.setOwner(claim.namespace);
      expect((await observe()).ownerNamespace).toBe(claim.namespace);
      // Whose right is gone changes nothing more, though the claim is still its own, and learns no names.
      for (const answer of [await plug(1, { ...rival, generation: 9_000_000_000_000_001 }), await unplug(0, rival)]) {
        expect(codeOf(answer)).toBe('claimed-by-other');
        expect(JSON.stringify(answer)).not.toMatch(/tenants|22222222/);
      }
      // The owner says whom it replaces, or nothing happens.
      expect(codeOf(await plug(1))).toBe('claimed-by-other');
      expect(codeOf(await plug(1, { replacesUid: 'somebody-else' }))).toBe('claimed-by-other');
      expect((await observe()).claim).toMatchObject(rival);
      valueOf(await plug(1, { replacesUid: rival.objectUid }));
      expect((await observe()).claim).toEqual(claim);
      const back = { ...rival, generation: 9_000_000_000_000_001, replacesUid: claim.objectUid };
      expect(codeOf(await plug(2, back))).toBe('claimed-by-other');
      expect(codeOf(await unplug(0, back))).toBe('claimed-by-other');
      expect((await observe()).claim).toEqual(claim);
      expect((await observe()).layout?.modules.map(({ slot }) => slot)).toEqual([0, 1]);
    });

    it('lets the owner take a claim over with an unplug, and what was asked of the guest before stays asked', async () => {
      const rival = { objectUid: 'rival', namespace: 'rivals', generation: 77 };
      valueOf(await plug(0, rival));
      await bench.setUnplugBehaviour('silent');
      valueOf(await unplug(0, rival));
      await bench.setOwner(claim.namespace);
      valueOf(await unplug(0, { replacesUid: rival.objectUid }));
      const { claim: now, layout } = await observe();
      expect(now).toEqual(claim);
      expect(layout?.modules).toMatchObject([{ slot: 0, state: 'Leaving', mark: { attempts: 2, generation: 77 } }]);
      await bench.letGo();
      await gone(0);
    });

    it('lets nobody but the holder give a claim up; the memory stays, and what was asked to leave stays asked', async () => {
      await bench.setUnplugBehaviour('silent');
      valueOf(await plug(0));
      valueOf(await unplug(0));
      const { revision } = await observe();
      const release = (more = {}, at = revision) => bench.host.releaseClaim(bench.uuid, at, { ...claim, ...more });
      expect(codeOf(await release({ clusterId: 'another-cluster' }))).toBe('claimed-by-other');
      expect(codeOf(await release({ objectUid: 'another-object' }))).toBe('claimed-by-other');
      expect(codeOf(await release({}, 'elsewhere'))).toBe('stale-revision');
      expect((await observe()).claim).toEqual(claim);

      expect(valueOf(await release())).toEqual({ revision });
      const after = await observe();
      expect(after).toMatchObject({ claim: null, revision });
      expect(after.layout?.modules).toMatchObject([{ slot: 0, state: 'Leaving', mark: { attempts: 1 } }]);
      // Who didn't hear the answer asks again.
      expect(valueOf(await release())).toEqual({ revision });
      expect(codeOf(await bench.host.releaseClaim(bench.stoppedUuid, revision, claim))).not.toBe('ok');
      // Somebody else may have it now.
      valueOf(await plug(1, { objectUid: 'another-object' }));
      expect((await observe()).claim).toMatchObject({ objectUid: 'another-object' });
      await bench.letGo();
    });

    it('tells when a VM gets another owner', async () => {
      const watching = collectEvents(bench.host);
      await eventually('the watch has begun', () => (watching.events.length > 0 ? true : null));
      await bench.setOwner('tenants');
      await eventually('the owner is told of', () =>
        watching.events.some((event) => event.kind === 'lifecycle' && event.uuid === bench.uuid) ? true : null,
      );
      watching.stop();
    });

    it('records that a replacement begins, until a newer generation is acted for', async () => {
      expect((await observe()).replacement).toBeNull();
      valueOf(await plug(1, { generation: 3, beginsReplacement: true }));
      expect((await observe()).replacement).toEqual({ slot: 1, generation: 3 });
      // Another change for the same generation leaves it.
      valueOf(await plug(2, { generation: 3 }));
      expect((await observe()).replacement).toEqual({ slot: 1, generation: 3 });
      // A refused change writes nothing.
      expect(codeOf(await plug(2, { generation: 4, beginsReplacement: true }))).toBe('rejected');
      expect((await observe()).replacement).toEqual({ slot: 1, generation: 3 });
      valueOf(await unplug(2, { generation: 3 }));
      await gone(2);
      expect((await observe()).replacement).toEqual({ slot: 1, generation: 3 });
      valueOf(await plug(3, { generation: 4 }));
      expect((await observe()).replacement).toBeNull();
    });

    it('rejects modules that cannot be, and leaves no trace', async () => {
      const before = await observe();
      expect(codeOf(await plug(before.layout?.slots.total ?? 0))).toBe('rejected');
      expect(codeOf(await plug(0, { node: 9 }))).toBe('rejected');
      expect(codeOf(await plug(0, { size: mib(129) }))).toBe('rejected');
      expect(codeOf(await plug(0, { size: bytes(0) }))).toBe('rejected');
      expect(codeOf(await plug(0, { size: before.layout?.maxMemory }))).toBe('rejected');
      await bench.plugByHand(0, size);
      expect(codeOf(await plug(0))).toBe('rejected');
      expect((await observe()).claim).toBeNull();
    });

    it('plugs where the guest takes it, though a module of odd size lies there', async () => {
      const before = await settled(bench);
      await bench.plugByHand(0, mib(100));
      valueOf(await plug(1));
      const expected = (before.guest?.total ?? 0) + size;
      const { layout } = await observedUntil(bench, 'the guest has it', (o) => (o.guest?.total ?? 0) >= expected);
      expect(layout?.modules.map((module) => module.base % size)).toEqual([0, 0]);
      expect(layout?.hotplugProblem).toBeNull();
    });

    it('takes out what the guest never took, though the guest could not spare as much', async () => {
      await settled(bench);
      await bench.setOnlines(false);
      const { guest } = await observe();
      const large = mib(Math.ceil((guest?.usable ?? 0) / mib(128)) * 128);
      valueOf(await plug(0, { size: large }));
      const least = { minUsableAfter: mib(64) };
      const known = await observedUntil(bench, 'it is known', (o) => o.guest?.takenOfModules === 0);
      expect(known.guest?.total).toBe(guest?.total);
      valueOf(await unplug(0, least));
      await gone(0);
      // What it has taken counts as ever.
      await bench.setOnlines(true);
      valueOf(await plug(1, { size: large }));
      await observedUntil(bench, 'the guest has it', (o) => o.guest?.takenOfModules === large);
      const use = await bench.useMemory(bytes((guest?.usable ?? 0) - mib(32)));
      expect(codeOf(await unplug(1, least))).toBe('guest-memory-in-use');
      expect(await use.isAlive()).toBe(true);
      await use.free();
    });

    it('says of a plug that QEMU has no memory for that it failed, and plugs when there is some', async () => {
      await bench.setShort(true);
      const answer = await plug(0);
      await bench.setShort(false);
      expect(codeOf(answer)).toBe('hypervisor-failed');
      expect(answer.ok ? '' : answer.error.message).toContain('Cannot allocate memory');
      const { layout, claim: kept } = await observe();
      // The claim had to be written before.
      expect([layout?.modules, layout?.slots.usedByOthers, kept]).toEqual([[], [], claim]);
      valueOf(await plug(0));
      expect((await observe()).layout?.modules).toMatchObject([{ slot: 0, size }]);
    });

    it('never plugs what the host cannot carry', async () => {
      const { memory } = valueOf(await bench.host.facts());
      expect(codeOf(await plug(0, { hostReserve: memory.available }))).toBe('insufficient-host-memory');
      expect(codeOf(await plug(0, { hostOvercommit: memory.committed / memory.total }))).toBe(
        'insufficient-host-memory',
      );
      expect(codeOf(await plug(0, { pageSize: gib(1), size: gib(1) }))).toBe('hugepages-unavailable');
      expect((await observe()).layout?.modules).toEqual([]);
    });

    it('asks the guest for a module, and tells when it is gone; its slot rests', async () => {
      valueOf(await plug(0));
      const watching = collectEvents(bench.host);
      const asked = valueOf(await unplug(0));
      expect(asked.revision).not.toBe('');
      const after = await gone(0);
      expect(after.layout?.slots.resting).toEqual([0]);
      expect(after.claim).toEqual(claim);
      await eventually('the removal is told', () =>
        watching.events.some((event) => event.kind === 'module-removed') ? true : null,
      );
      watching.stop();
      expect(codeOf(await plug(0))).toBe('busy');
      valueOf(await plug(1));
    });

    it('tells a refusal, and the module is no longer leaving', async () => {
      await bench.setUnplugBehaviour('refuse');
      valueOf(await plug(0));
      const watching = collectEvents(bench.host);
      valueOf(await unplug(0));
      await eventually('the refusal is told', () =>
        watching.events.some((event) => event.kind === 'module-refused') ? true : null,
      );
      const after = await observedUntil(bench, 'the mark is cleared', ({ layout }) =>
        Boolean(layout?.modules.every((module) => module.state === 'Plugged')),
      );
      expect(after.layout?.modules).toMatchObject([{ slot: 0, state: 'Plugged', mark: null }]);
      expect(after.layout?.modules[0]?.refusedAtMs).toBeGreaterThan(0);
      watching.stop();
    });

    it('counts a silent module as leaving, asks for no other, asks again, and notices a late departure', async () => {
      await bench.setUnplugBehaviour('silent');
      valueOf(await plug(0));
      valueOf(await plug(1));
      valueOf(await unplug(0));
      const leaving = await observe();
      expect(leaving.layout?.modules).toMatchObject([
        { slot: 0, state: 'Leaving', mark: { generation: 1, attempts: 1 } },
        { slot: 1, state: 'Plugged' },
      ]);
      expect(codeOf(await unplug(1))).toBe('unplug-unsettled');
      // A plug may run beside it.
      valueOf(await plug(2));
      valueOf(await unplug(0, { generation: 2 }));
      expect((await observe()).layout?.modules[0]).toMatchObject({ mark: { generation: 1, attempts: 2 } });
      expect((await observe()).revision).not.toBe(leaving.revision);
      await bench.letGo();
      await gone(0);
    });

    it('refuses to take memory that the guest is using', async () => {
      valueOf(await plug(0));
      await observedUntil(bench, 'the guest reports', ({ guest }) => guest?.fresh === true);
      expect(codeOf(await unplug(0, { minUsableAfter: gib(1024) }))).toBe('guest-memory-in-use');
      expect((await observe()).layout?.modules).toMatchObject([{ state: 'Plugged' }]);
      await observedUntil(bench, 'the guest reports enough', ({ guest }) => (guest?.usable ?? 0) > size + mib(1));
      valueOf(await unplug(0, { minUsableAfter: mib(1) }));
      await gone(0);
    });

    it('judges by what is left after a module has gone, though the guest has not said so yet', async () => {
      const large = mib(256);
      const least = { minUsableAfter: mib(64) };
      // A report that what earlier tests took away has no part in.
      const startedAtMs = Date.now();
      const before = await observedUntil(
        bench,
        'the guest reports',
        ({ guest }) => (guest?.reportedAtMs ?? 0) > startedAtMs + 1_000,
      );
      const totalWith = (modules: number): number => (before.guest?.total ?? 0) + modules * large - mib(8);
      valueOf(await plug(0, { size: large }));
      valueOf(await plug(1, { size: large }));
      const online = await observedUntil(bench, 'both are online', ({ guest }) => (guest?.total ?? 0) >= totalWith(2));
      // Either module can go, but not both.
      const use = await bench.useMemory(bytes((online.guest?.usable ?? 0) - mib(450)));
      await observedUntil(bench, 'the use is reported', ({ guest }) => (guest?.usable ?? Infinity) < mib(500));

      valueOf(await unplug(0, least));
      const after = await gone(0);
      expect(after.guest?.total).toBeLessThanOrEqual(totalWith(1) + mib(16));
      expect(codeOf(await unplug(1, least))).toBe('guest-memory-in-use');
      // Nor later, when the guest has said what it has; what was taken off in doubt comes back by then.
      await observedUntil(bench, 'the guest reports the rest', ({ guest }) => (guest?.total ?? 0) >= totalWith(1));
      expect(codeOf(await unplug(1, least))).toBe('guest-memory-in-use');
      expect(await use.isAlive()).toBe(true);
      expect((await observe()).layout?.modules).toMatchObject([{ slot: 1, state: 'Plugged' }]);

      await use.free();
      await observedUntil(bench, 'the memory is free again', ({ guest }) => (guest?.usable ?? 0) > mib(500));
      valueOf(await unplug(1, least));
      await gone(1);
    });

    /** Plugs modules into the first slots, and waits until the guest says that it has them all. */
    async function grow(sizes: readonly Bytes[]): Promise<GuestStatistics> {
      const before = await settled(bench);
      for (const [slot, each] of sizes.entries()) valueOf(await plug(slot, { size: each }));
      const expected = (before.guest?.total ?? 0) + sumBytes(sizes);
      const { guest } = await observedUntil(bench, 'the guest has all', (o) => (o.guest?.total ?? 0) >= expected);
      if (guest === null) throw new Error('unreachable');
      return guest;
    }

    it('judges an unplug by what the guest has at that moment, whatever it said before', async () => {
      const large = mib(256);
      const least = { minUsableAfter: mib(64) };
      const guest = await grow([large]);
      const use = await bench.useMemory(bytes(guest.usable - mib(160)));
      // Nobody has waited for a report.
      expect(codeOf(await unplug(0, least))).toBe('guest-memory-in-use');
      expect((await observe()).layout?.modules).toMatchObject([{ state: 'Plugged', mark: null }]);
      expect((await observe()).guest?.usable).toBeLessThan(large);
      expect(await use.isAlive()).toBe(true);
      await use.free();
      valueOf(await unplug(0, least));
      await gone(0);
    });

    it('lets one module after the other go, each judged by a report from after the last one left', async () => {
      const guest = await grow([size, size, size]);
      // Whoever still counted the last one, or took it off twice, would be wrong by more than this leaves.
      const least = (left: number) => ({ minUsableAfter: bytes(guest.usable - left * size - mib(48)) });
      for (const slot of [0, 1, 2]) {
        valueOf(await unplug(slot, least(slot + 1)));
        await gone(slot);
      }
      expect((await observe()).layout?.modules).toEqual([]);
    });

    it('tells watchers what the guest has after a plug and after a departure', async () => {
      const total = (await settled(bench)).guest?.total ?? 0;
      const watching = collectEvents(bench.host);
      await eventually('the watch begins', () => (watching.events.length > 0 ? true : null));
      const toldOf = (what: string, expected: number) =>
        eventually(what, async () => {
          const isTold = watching.events.some(({ kind }) => kind === 'statistics');
          return isTold && (await observe()).guest?.total === expected ? true : null;
        });
      valueOf(await plug(0));
      await toldOf('it is told that the guest has it', total + size);
      watching.events.splice(0);
      valueOf(await unplug(0));
      await gone(0);
      await toldOf('it is told that the guest has it no more', total);
      watching.stop();
    });

    it('says of a guest that cannot answer that it is late, and asks it when it can', async () => {
      const least = { minUsableAfter: mib(1) };
      await grow([size]);
      await bench.setPaused(true);
      try {
        const { revision } = await observe();
        const refused = await bench.host.unplug(bench.uuid, revision, unplugRequest(0, least));
        expect(codeOf(refused)).toBe('guest-late');
        expect(refused.ok ? '' : refused.error.message).toMatch(/last reported its memory \d+ s ago$/);
        expect((await observe()).guest).toMatchObject({ ofThisBoot: true });
      } finally {
        await bench.setPaused(false);
      }
      valueOf(await unplug(0, least));
      await gone(0);
    });

    it('answers what is not there', async () => {
      const nobody = '00000000-0000-4000-8000-000000000000';
      expect(codeOf(await bench.host.observe(nobody))).toBe('not-found');
      expect(codeOf(await bench.host.plug(nobody, 'any', plugRequest(0, size)))).toBe('not-found');
      expect(codeOf(await bench.host.unplug(nobody, 'any', unplugRequest(0)))).toBe('not-found');
      expect(codeOf(await unplug(3))).toBe('no-such-module');
    });

    it('shows a VM that is off as a value, and changes nothing on it', async () => {
      const off = valueOf(await bench.host.observe(bench.stoppedUuid));
      expect(off).toMatchObject({ state: 'ShutOff', runtimeId: null, layout: null, guest: null, booting: false });
      expect(codeOf(await bench.host.plug(bench.stoppedUuid, off.revision, plugRequest(0, size)))).toBe('not-running');
    });

    it('begins every watch with a reset', async () => {
      const watching = collectEvents(bench.host);
      await eventually('the watch begins', () => (watching.events.length > 0 ? true : null));
      expect(watching.events[0]).toEqual({ kind: 'reset' });
      watching.stop();
    });
  });
}
