/** Many requests at once: of those that were planned from one revision of a VM exactly one is carried out. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { codeOf, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { describeAgent } from './agent-bench.ts';
import { clearGuest } from './clear-guest.ts';

const size = mib(128);
const eight = Array.from({ length: 8 }, (_, index) => index);
const oneOfEight = ['ok', ...Array.from({ length: 7 }, () => 'stale-revision')];

await describeAgent(
  'requests at the same time',
  {
    guests: [
      { kind: 'accepting', name: 'one' },
      { kind: 'accepting', name: 'other' },
    ],
  },
  (bench) => {
    const one = (): LabGuest => bench.guest;
    const other = (): LabGuest => bench.lab.guests[1] ?? bench.guest;
    beforeEach(async () => {
      for (const guest of bench.lab.guests) await bench.of(guest).reports();
    });
    // The bench clears the first.
    afterEach(() => clearGuest(bench.lab.hypervisor, other()));

    const revisionOf = async ({ uuid }: LabGuest) => valueOf(await bench.client.observe(uuid)).revision;
    const plug = async ({ uuid }: LabGuest, revision: string, slot: number) =>
      codeOf(await bench.client.plug(uuid, revision, plugRequest(slot, size)));
    const unplug = async ({ uuid }: LabGuest, revision: string, slot: number) =>
      codeOf(await bench.client.unplug(uuid, revision, unplugRequest(slot)));
    const winners = (codes: readonly string[]) => codes.toSorted();

    test('eight times the same plug: one module', async () => {
      const revision = await revisionOf(one());
      expect(winners(await Promise.all(eight.map(() => plug(one(), revision, 0))))).toEqual(oneOfEight);
      expect(await one().moduleAliases()).toEqual(['ua-dimmer-0']);
    });

    test('eight plugs into different slots of each of two VMs: one module in each', async () => {
      const revisions = [await revisionOf(one()), await revisionOf(other())] as const;
      const codes = await Promise.all(
        eight.map((slot) => Promise.all([plug(one(), revisions[0], slot), plug(other(), revisions[1], slot)])),
      );
      expect(winners(codes.map(([code]) => code))).toEqual(oneOfEight);
      expect(winners(codes.map(([, code]) => code))).toEqual(oneOfEight);
      for (const guest of bench.lab.guests) expect(await guest.moduleAliases()).toHaveLength(1);
    });

    test('eight times the same unplug: the guest is asked once', async () => {
      await plug(one(), await revisionOf(one()), 0);
      await one().pin();
      const revision = await revisionOf(one());
      expect(winners(await Promise.all(eight.map(() => unplug(one(), revision, 0))))).toEqual(oneOfEight);
      const { layout } = valueOf(await bench.client.observe(one().uuid));
      expect(layout?.modules).toMatchObject([{ state: 'Leaving', mark: { attempts: 1 } }]);
    });

    test('a plug and an unplug: one of them', async () => {
      await plug(one(), await revisionOf(one()), 0);
      const revision = await revisionOf(one());
      const codes = await Promise.all(
        eight.map((index) => (index % 2 === 0 ? plug(one(), revision, index + 1) : unplug(one(), revision, 0))),
      );
      expect(winners(codes)).toEqual(oneOfEight);
    });

    test('a VM that is stuck in a change holds no other up', async () => {
      const revisions = [await revisionOf(one()), await revisionOf(other())] as const;
      const qemu = bench.lab.hypervisor.qemuPid(one().uuid);
      process.kill(qemu, 'SIGSTOP');
      try {
        let answered = false;
        const stuck = plug(one(), revisions[0], 0).finally(() => (answered = true));
        expect(await plug(other(), revisions[1], 0)).toBe('ok');
        expect(await plug(other(), await revisionOf(other()), 1)).toBe('ok');
        expect(answered).toBe(false);
        process.kill(qemu, 'SIGCONT');
        expect(await stuck).toBe('ok');
      } finally {
        process.kill(qemu, 'SIGCONT');
      }
    });
  },
);
