/** What a live migration between two real daemons looks like from either side. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../../src/memory/module.ts';
import type { Mark, OperationState } from '../../../src/memory/operation-state.ts';
import { writeDimmXml } from '../../../src/libvirt/xml/device.ts';
import { dialEndpoint } from '../../../src/libvirt/rpc/dial.ts';
import type { DomainMemoryXml } from '../../../src/libvirt/xml/domain-memory.ts';
import { readDomainMemory } from '../../../src/libvirt/xml/domain.ts';
import { createHypervisor, type Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { periodNamespace, periodPrefix, writePeriod } from '../../../src/libvirt/xml/statistics-period.ts';
import { leaderNamespace, leaderPrefix, writeLeader } from '../../../src/libvirt/xml/leader.ts';
import { Session } from '../../../src/libvirt/rpc/session.ts';
import { stateNamespace, statePrefix, writeState } from '../../../src/libvirt/xml/operation-state.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { describeLab } from '../../lab/describe.ts';
import { startGuest } from '../../lab/guest.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type LabHypervisor, startHypervisor } from '../../lab/hypervisor.ts';
import { waitFor } from '../../lab/wait.ts';
import { createAgentPki, startAgentFixture } from '../agent/agent-fixture.ts';

type Side = { readonly lab: LabHypervisor; readonly hypervisor: Hypervisor };

/** libvirt refuses to migrate to the same host, which it knows by this number. */
async function startSide(hostUuid: string): Promise<Side> {
  const lab = await startHypervisor({ libvirtdConf: [`host_uuid = "${hostUuid}"`] });
  const endpoint = { transport: 'unix', sockets: [lab.socketPath], openUri: 'qemu:///system' } as const;
  const session = new Session({ endpoint, dial: dialEndpoint, clock: systemClock, random: Math.random });
  const hypervisor = createHypervisor(session);
  await new Promise<void>((resolve) => {
    hypervisor.onConnection((change) => {
      if (change.kind === 'connected') resolve();
    });
    hypervisor.start();
  });
  return { lab, hypervisor };
}

const state: OperationState = {
  claim: { clusterId: 'cluster', objectUid: 'object', namespace: 'tenants', generation: 3 },
  marks: [],
  replacement: { slot: 2, generation: 3 },
};

await describeLab(
  'a live migration',
  () => {
    let source: Side;
    let target: Side;
    let guest: LabGuest;

    beforeAll(async () => {
      source = await startSide('3f3d4b8e-6a3f-4d53-9d57-0a5f2d6c1a01');
      target = await startSide('3f3d4b8e-6a3f-4d53-9d57-0a5f2d6c1a02');
      guest = await startGuest(source.lab, { kind: 'no-os', name: 'traveller' });
    });

    afterAll(async () => {
      for (const { lab, hypervisor } of [source, target]) {
        await hypervisor.close();
        await lab.stop();
      }
    });

    const memoryOn = async ({ hypervisor }: Side): Promise<DomainMemoryXml> => {
      const result = readDomainMemory(await hypervisor.domainXml(guest.uuid));
      if (!result.ok) throw new Error(`${result.error.path}: ${result.error.problem}`);
      return result.value;
    };

    test('is seen on both sides while it lasts; modules and what is kept with the domain travel along', async () => {
      for (const slot of [0, 5]) {
        const xml = writeDimmXml({ slot, alias: aliasOfSlot(slot), size: mib(128), node: 0 });
        await source.hypervisor.attachDevice(guest.uuid, xml);
      }
      await source.hypervisor.setMetadata(guest.uuid, stateNamespace, statePrefix, writeState(state));
      const leader = { election: 'cluster/dimmer-system/dimmer-controller', epoch: 17 };
      await source.hypervisor.setMetadata(guest.uuid, leaderNamespace, leaderPrefix, writeLeader(leader));
      const before = await memoryOn(source);
      expect(await source.hypervisor.domainJob(guest.uuid)).toBe('none');

      await source.lab.virshOk(['migrate-setspeed', guest.uuid, '1']); // MiB a second: slow enough to look
      const migrating = source.lab.virsh(
        [
          ...['migrate', '--live', '--unsafe', guest.uuid, target.lab.uri],
          ...['--migrateuri', `unix://${join(target.lab.directory, 'migration.sock')}`],
        ],
        120_000,
      );
      await waitFor(async () => (await source.hypervisor.domainJob(guest.uuid)) === 'migration', {
        what: 'the migration to be seen on the source',
        timeoutMs: 30_000,
        intervalMs: 5,
      });
      // However loaded this machine is, the migration can't end before the target was looked at.
      const qemu = source.lab.qemuPid(guest.uuid);
      process.kill(qemu, 'SIGSTOP');
      try {
        await waitFor(async () => (await target.hypervisor.domainJob(guest.uuid)) === 'migration', {
          what: 'the migration to be seen on the target',
          timeoutMs: 30_000,
          intervalMs: 5,
        });
      } finally {
        process.kill(qemu, 'SIGCONT');
      }
      await source.lab.virsh(['migrate-setspeed', guest.uuid, '10000']);
      expect(await migrating).toMatchObject({ code: 0 });

      expect(await target.hypervisor.domainJob(guest.uuid)).toBe('none');
      const after = await memoryOn(target);
      expect(after.modules).toEqual(before.modules);
      expect(after.state).toEqual({ ok: true, value: state });
      expect(after.leader).toEqual(leader);
    });

    test('of a guest that was being asked: the agent there puts the period back that stood before, and what is leaving still is', async () => {
      // As an agent leaves it that is killed between its two calls, here on its way back.
      const { hypervisor, lab } = target;
      const [module] = (await memoryOn(target)).modules;
      if (module === undefined || module.base === null || module.slot === null)
        throw new Error('the guest has no module');
      const askedAtMs = Date.now() - 1000;
      const leaving: Mark = {
        ...{ slot: module.slot, base: module.base, size: module.size, alias: module.alias ?? '', generation: 3 },
        ...{ firstAskedAtMs: askedAtMs, lastAskedAtMs: askedAtMs, attempts: 1, phase: 'leaving' },
      };
      await hypervisor.setMetadata(guest.uuid, stateNamespace, statePrefix, writeState({ ...state, marks: [leaving] }));
      await hypervisor.setMetadata(guest.uuid, periodNamespace, periodPrefix, writePeriod(7));
      await hypervisor.setMemoryStatsPeriod(guest.uuid, 0);
      const agent = await startAgentFixture(source.lab.uri, await createAgentPki(source.lab.directory));
      try {
        const moved = await lab.virsh(
          [
            ...['migrate', '--live', '--unsafe', guest.uuid, source.lab.uri],
            ...['--migrateuri', `unix://${join(source.lab.directory, 'migration.sock')}`],
          ],
          120_000,
        );
        expect(moved).toMatchObject({ code: 0 });
        await waitFor(async () => (await memoryOn(source)).balloon?.statsPeriodSeconds === 7, {
          ...{ what: 'the agent to put the period back', timeoutMs: 20_000 },
        });
        // It has heard of the start, which is no boot.
        const observed = await agent.client.observe(guest.uuid);
        expect(observed.ok && observed.value.layout?.modules.map(({ slot, mark }) => [slot, mark?.attempts])).toEqual([
          [0, 1],
          [5, undefined],
        ]);
        expect((await memoryOn(source)).state).toMatchObject({ ok: true, value: { marks: [leaving] } });
      } finally {
        await agent.stop();
      }
    });
  },
  ['hypervisor'],
);
