/** Many requests at once: of those that were planned from one revision of a VM exactly one is carried out. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { type AgentFixture, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { clearGuest } from './clear-guest.ts';

const size = mib(128);
const eight = Array.from({ length: 8 }, (_, index) => index);
const oneOfEight = ['ok', ...Array.from({ length: 7 }, () => 'stale-revision')];

await describeLab(
  'requests at the same time',
  () => {
    let lab: Lab;
    let one: LabGuest;
    let other: LabGuest;
    let agent: AgentFixture;

    beforeAll(async () => {
      lab = await startLab({
        guests: [
          { kind: 'accepting', name: 'one' },
          { kind: 'accepting', name: 'other' },
        ],
      });
      [one, other] = lab.guests as [LabGuest, LabGuest];
      agent = await startAgentFixture(lab.hypervisor.uri, await createAgentPki(lab.hypervisor.directory));
      for (const { uuid } of lab.guests) {
        const bench = { host: agent.client, uuid };
        await observedUntil(bench, 'the guest reports', isUp);
      }
    });
    afterAll(async () => {
      await agent.stop();
      await lab.stop();
    });
    afterEach(() => Promise.all(lab.guests.map((guest) => clearGuest(lab.hypervisor, guest))));

    const revisionOf = async ({ uuid }: LabGuest) => valueOf(await agent.client.observe(uuid)).revision;
    const plug = async ({ uuid }: LabGuest, revision: string, slot: number) =>
      codeOf(await agent.client.plug(uuid, revision, plugRequest(slot, size)));
    const unplug = async ({ uuid }: LabGuest, revision: string, slot: number) =>
      codeOf(await agent.client.unplug(uuid, revision, unplugRequest(slot)));
    const winners = (codes: readonly string[]) => codes.toSorted();

    test('eight times the same plug: one module', async () => {
      const revision = await revisionOf(one);
      expect(winners(await Promise.all(eight.map(() => plug(one, revision, 0))))).toEqual(oneOfEight);
      expect(await one.moduleAliases()).toEqual(['ua-dimmer-0']);
    });

    test('eight plugs into different slots of each of two VMs: one module in each', async () => {
      const revisions = [await revisionOf(one), await revisionOf(other)] as const;
      const codes = await Promise.all(
        eight.map((slot) => Promise.all([plug(one, revisions[0], slot), plug(other, revisions[1], slot)])),
      );
      expect(winners(codes.map(([code]) => code))).toEqual(oneOfEight);
      expect(winners(codes.map(([, code]) => code))).toEqual(oneOfEight);
      for (const guest of lab.guests) expect(await guest.moduleAliases()).toHaveLength(1);
    });

    test('eight times the same unplug: the guest is asked once', async () => {
      await plug(one, await revisionOf(one), 0);
      await one.pin();
      const revision = await revisionOf(one);
      expect(winners(await Promise.all(eight.map(() => unplug(one, revision, 0))))).toEqual(oneOfEight);
      const { layout } = valueOf(await agent.client.observe(one.uuid));
      expect(layout?.modules).toMatchObject([{ state: 'Leaving', mark: { attempts: 1 } }]);
    });

    test('a plug and an unplug: one of them', async () => {
      await plug(one, await revisionOf(one), 0);
      const revision = await revisionOf(one);
      const codes = await Promise.all(
        eight.map((index) => (index % 2 === 0 ? plug(one, revision, index + 1) : unplug(one, revision, 0))),
      );
      expect(winners(codes)).toEqual(oneOfEight);
    });

    test('a VM that is stuck in a change holds no other up', async () => {
      const revisions = [await revisionOf(one), await revisionOf(other)] as const;
      const qemu = lab.hypervisor.qemuPid(one.uuid);
      process.kill(qemu, 'SIGSTOP');
      try {
        let answered = false;
        const stuck = plug(one, revisions[0], 0).finally(() => (answered = true));
        expect(await plug(other, revisions[1], 0)).toBe('ok');
        expect(await plug(other, await revisionOf(other), 1)).toBe('ok');
        expect(answered).toBe(false);
        process.kill(qemu, 'SIGCONT');
        expect(await stuck).toBe('ok');
      } finally {
        process.kill(qemu, 'SIGCONT');
      }
    });
  },
  ['hypervisor'],
);
