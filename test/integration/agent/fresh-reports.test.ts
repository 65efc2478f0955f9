/**
 * The guest's word at once: an unplug is judged by what the guest has when it is asked, and nothing in it dies of one.
 * `DIMMER_ROUNDS=100` makes the repeated ones longer.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { HostAnswer } from '../../../src/host/errors.ts';
import type { DomainObservation } from '../../../src/host/port.ts';
import { type Bytes, bytes, GiB, mib } from '../../../src/memory/bytes.ts';
import { codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { beside } from '../../lab/beside.ts';
import { startGuests } from '../../lab/lab.ts';
import { makeUrgent } from '../../lab/urgency.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';

const rounds = Number(process.env['DIMMER_ROUNDS'] ?? 20);
/** Guests that are resized at the same moment: `DIMMER_GUESTS=40` takes 5 minutes and 8 GiB. */
const crowd = Number(process.env['DIMMER_GUESTS'] ?? 4);
const size = mib(512);
const margin = { minUsableAfter: mib(64) };
/** What no guest has. */
const never = { minUsableAfter: bytes(1024 * GiB) };
vi.setConfig({ testTimeout: 600_000 * Math.max(1, rounds / 20, crowd / 10) });

await describeAgent(
  "a guest's word",
  {
    guests: [
      ...['filled', 'filling', 'idle'].map((name) => ({ kind: 'accepting', name, slots: 255 }) as const),
      { kind: 'accepting', name: 'mute', balloon: false },
    ],
    size,
    // Each group its own.
    uncleared: true,
  },
  (bench) => {
    let slots = 0;
    // They must answer within a second while they fill their memory, whatever other labs do meanwhile.
    beforeAll(() => makeUrgent(bench.lab.hypervisor.pids()));

    /** One that doesn't rest. */
    const nextSlot = (): number => (slots += 1);
    /** A guest that is cleared after each test. */
    const cleared = (name: string) => {
      const it = bench.named(name);
      afterEach(() => it.clear());
      return {
        it,
        plug: async (slot: number, more: { size?: Bytes } = {}) => valueOf(await it.plug(slot, more)),
        ask: (slot: number, least: { minUsableAfter: Bytes } = margin) => it.unplug(slot, least),
        period: async () => Number(/<stats period='(\d+)'/.exec(await it.guest.dumpXml())?.[1] ?? 0),
      };
    };

    beside('one that is full', () => {
      const { it, plug, ask, period } = cleared('filled');

      test(`one that has just filled its memory is not asked for any: ${rounds} times, at every phase of its reports`, async () => {
        await it.reports();
        await plug(0);
        await it.guestHas(1);
        // In huge pages, of which the guest writes none twice: filling is a moment's work, and the question what counts.
        await it.guest.shOk('mkdir -p /tmp/fill && mount -t tmpfs -o size=700m,huge=always tmpfs /tmp/fill');
        try {
          for (let round = 0; round < rounds; round += 1) {
            // The last report says that all is free, and the next one is up to 2 s away.
            expect(codeOf(await ask(0, never))).toBe('guest-memory-in-use');
            await delay((round * 2_000) / rounds);
            await it.guest.shOk('fallocate -l 520M /tmp/fill/file', 20_000);
            expect([round, codeOf(await ask(0))]).toEqual([round, 'guest-memory-in-use']);
            await it.guest.shOk('rm /tmp/fill/file');
          }
          expect((await it.observe()).layout?.modules).toMatchObject([{ state: 'Plugged', mark: null }]);
          expect(await it.guest.oomKills()).toBe(0);
          await it.guestHas(1);
        } finally {
          await it.guest.shOk('umount /tmp/fill');
        }
        valueOf(await ask(0));
        await it.guestHas(0);
        expect(await period()).toBe(2);
      });
    });

    beside('one that goes on filling', () => {
      const { it, plug, ask } = cleared('filling');

      test(`one that goes on filling while it is shrunk keeps what it has: ${rounds} times`, async () => {
        await it.reports();
        const answers = new Map<string, number>();
        for (let round = 0; round < rounds; round += 1) {
          const slot = nextSlot();
          await plug(slot);
          await it.guestHas(1);
          await it.guest.shOk('mkdir -p /tmp/fill && mount -t tmpfs -o size=330m tmpfs /tmp/fill');
          // As fast as it can, and as much as fits without the module.
          const fill = () =>
            it.guest.shOk(
              'rm -f /tmp/full; sh -c "dd if=/dev/zero of=/tmp/fill/file bs=1M 2>/dev/null; echo >/tmp/full" & echo',
            );
          // The planner's margin: what a guest may fill while it is being asked.
          const asked = () => ask(slot, { minUsableAfter: mib(128) });
          // From a second before it begins to two after.
          const afterMs = (round * 3_000) / rounds - 1_000;
          const early = afterMs < 0 ? asked() : null;
          await delay(Math.max(0, -afterMs));
          await fill();
          await delay(Math.max(0, afterMs));
          const answer = codeOf(await (early ?? asked()));
          answers.set(answer, (answers.get(answer) ?? 0) + 1);
          await waitFor(async () => (await it.guest.sh('test -e /tmp/full')).code === 0, {
            ...{ what: 'the filling to end', timeoutMs: 60_000 },
          });
          expect([round, await it.guest.oomKills()]).toEqual([round, 0]);
          expect(Number(await it.guest.shOk('stat -c %s /tmp/fill/file'))).toBe(mib(330));
          await it.guest.shOk('umount /tmp/fill');
          await it.clear();
          await it.guestHas(0);
        }
        // Both were met: asked before it had filled much, and after.
        expect([...answers.keys()].toSorted()).toEqual(['guest-memory-in-use', 'ok']);
      });
    });

    beside('an idle one', () => {
      const { it, plug, ask, period } = cleared('idle');

      test(`an idle one, whose values never change, answers every time: ${rounds} questions`, async () => {
        await it.reports();
        await plug(0, { size: mib(128) });
        await it.guestHas(1, mib(128));
        for (let round = 0; round < rounds; round += 1) {
          expect([round, codeOf(await ask(0, never))]).toEqual([round, 'guest-memory-in-use']);
          await delay(round * 13);
        }
      });

      test(`is shrunk ${rounds} times, and never told late`, async () => {
        await it.reports();
        for (let round = 0; round < rounds; round += 1) {
          const slot = nextSlot();
          await plug(slot, { size: mib(128) });
          await it.guestHas(1, mib(128));
          valueOf(await ask(slot));
          await it.guestHas(0);
        }
      }, 1_200_000);

      test('one whose driver is taken away is late; when it is back it is asked again', async () => {
        await it.reports();
        const slot = nextSlot();
        await plug(slot);
        await it.until('the guest says that it has the module', (o) => (o.guest?.usable ?? 0) > size + mib(64));
        const driver = '/sys/bus/virtio/drivers/virtio_balloon';
        const device = (await it.guest.shOk(`ls ${driver} | grep ^virtio`)).trim();
        await it.guest.shOk(`echo ${device} >${driver}/unbind`);
        try {
          expect(codeOf(await ask(slot))).toBe('guest-late');
          expect(await period()).toBe(2);
        } finally {
          await it.guest.shOk(`echo ${device} >${driver}/bind`);
        }
        await it.reports();
        valueOf(await ask(slot));
        await it.guestHas(0);
        expect([await it.guest.oomKills(), await period()]).toEqual([0, 2]);
      });
    });

    beside('one without a balloon', () => {
      const it = bench.named('mute');

      test("one without a balloon is not asked, and its module not taken on anybody's word", async () => {
        await it.until('it can no longer be booting', (o) => !o.booting, 90_000);
        valueOf(await it.plug(0));
        const startedAt = performance.now();
        const answer = await it.unplug(0, margin);
        expect(codeOf(answer)).toBe('guest-memory-unknown');
        expect(performance.now() - startedAt).toBeLessThan(1_000);
        expect(await it.guest.dumpXml()).not.toContain('xmlns/statistics');
      });
    });

    test(`${crowd} reporting guests resized at once: each gives its module back by its own word`, async () => {
      const many = await startGuests(
        bench.lab.hypervisor,
        Array.from({ length: crowd }, (_, index) => ({
          ...({ kind: 'accepting', name: `crowd-${index}` } as const),
          nodes: [{ mib: 256, vcpus: 1 }],
        })),
      );
      const watching = bench.client.watch(() => undefined);
      const observedAs = (what: string, isSo: (observation: DomainObservation) => boolean) =>
        Promise.all(
          many.map(({ uuid }) => observedUntil({ host: bench.client, uuid }, what, isSo, 60_000 + crowd * 3_000)),
        );
      const boot = (await observedAs('they report', isUp)).map(({ guest: report }) => report?.total ?? 0);
      const each = async (change: (observation: DomainObservation) => Promise<HostAnswer<unknown>>) =>
        Promise.all(many.map(async ({ uuid }) => codeOf(await change(valueOf(await bench.client.observe(uuid))))));
      const plugged = await each(({ uuid, revision }) => bench.client.plug(uuid, revision, plugRequest(0, mib(128))));
      expect(plugged).toEqual(many.map(() => 'ok'));
      await observedAs('they have it', ({ uuid, guest: report }) => {
        const index = many.findIndex((one) => one.uuid === uuid);
        return (report?.total ?? 0) >= (boot[index] ?? Infinity) + mib(128);
      });
      // A guest whose processor others have may be late; it is asked again, as the controller does.
      const waiting = new Set(many.map(({ uuid }) => uuid));
      const answers = new Map<string, number>();
      while (waiting.size > 0) {
        await Promise.all(
          [...waiting].map(async (uuid) => {
            const { revision } = valueOf(await bench.client.observe(uuid));
            const code = codeOf(await bench.client.unplug(uuid, revision, unplugRequest(0, margin)));
            answers.set(code, (answers.get(code) ?? 0) + 1);
            if (code === 'ok') waiting.delete(uuid);
          }),
        );
      }
      expect(Object.fromEntries(answers)).toEqual({
        ok: crowd,
        ...(answers.has('guest-late') && { 'guest-late': answers.get('guest-late') }),
      });
      await observedAs('it is gone', ({ layout }) => layout?.modules.length === 0);
      watching();
      for (const one of many) {
        await waitFor(async () => !(await one.dumpXml()).includes('xmlns/statistics'), {
          ...{ what: 'no question to be left behind', timeoutMs: 10_000 },
        });
        expect(await one.dumpXml()).toContain(`<stats period='2'/>`);
        expect(await one.oomKills()).toBe(0);
        await one.destroy();
      }
    });

    test('forty domains that cannot answer, resized at once: each gets its module, and nothing is left behind', async () => {
      // Paused right at their start, so that they take no processor; none of them can answer.
      const many = await startGuests(
        bench.lab.hypervisor,
        Array.from({ length: 40 }, (_, index) => ({
          ...({ kind: 'no-os', name: `many-${index}`, leaveOff: true } as const),
          nodes: [{ mib: 64, vcpus: 1 }],
        })),
      );
      for (const { name } of many) await bench.lab.hypervisor.virshOk(['start', name, '--paused']);
      const watching = bench.client.watch(() => undefined);
      const each = async (change: (observation: DomainObservation) => Promise<HostAnswer<unknown>>) =>
        Promise.all(many.map(async ({ uuid }) => codeOf(await change(valueOf(await bench.client.observe(uuid))))));
      const plugged = await each(({ uuid, revision }) => bench.client.plug(uuid, revision, plugRequest(0, mib(128))));
      expect(new Set(plugged)).toEqual(new Set(['ok']));
      const asked = await each(({ uuid, revision }) => bench.client.unplug(uuid, revision, unplugRequest(0, margin)));
      expect(new Set(asked)).toEqual(new Set(['guest-memory-unknown']));
      watching();
      for (const one of many) {
        const xml = await one.dumpXml();
        expect(xml).toContain(`<stats period='2'/>`);
        expect(xml).not.toContain('xmlns/statistics');
      }
      for (const one of many) await one.destroy();
    });
  },
);
