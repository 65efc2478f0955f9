/** Devices as people put them into their VMs: what libvirt doesn't show, and what shifts every later module. */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytes, gib, MiB, mib } from '../../../src/memory/bytes.ts';
import { codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, createAgentPki, startAgentFixture } from './agent-fixture.ts';

const size = mib(128);

/** A DIMM on QEMU's command line, of which libvirt knows neither slot nor place. */
const onCommandLine = (mebibytes: number): string => `
  <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
    <qemu:arg value='-object'/><qemu:arg value='memory-backend-ram,id=unseen,size=${mebibytes}M'/>
    <qemu:arg value='-device'/><qemu:arg value='pc-dimm,memdev=unseen,id=unseen-dimm,node=0'/>
  </qemu:commandline>`;

await describeLab(
  'devices that are in the way',
  () => {
    let lab: Lab;
    let agent: AgentFixture;

    beforeAll(async () => {
      lab = await startLab({
        guests: [
          { kind: 'accepting', name: 'unseen' },
          { kind: 'accepting', name: 'unseen-odd', extraXml: onCommandLine(50) },
          { kind: 'accepting', name: 'nvdimm', leaveOff: true },
        ],
      });
      agent = await startAgentFixture(lab.hypervisor.uri, await createAgentPki(lab.hypervisor.directory));
    });
    afterAll(async () => {
      await agent.stop();
      await lab.stop();
    });

    const guestOf = (name: string): LabGuest => {
      const guest = lab.guests.find((candidate) => candidate.name === name);
      if (guest === undefined) throw new Error(`there is no guest ${name}`);
      return guest;
    };
    const benchOf = (guest: LabGuest) => ({ host: agent.client, uuid: guest.uuid });
    const observe = async (guest: LabGuest) => valueOf(await agent.client.observe(guest.uuid));
    const plug = async (guest: LabGuest, slot: number) =>
      agent.client.plug(guest.uuid, (await observe(guest)).revision, plugRequest(slot, size));
    const takes = (guest: LabGuest, beforeKib: number) =>
      waitFor(async () => (await guest.memTotalKiB()) === beforeKib + size / 1024, {
        ...{ what: 'the guest to take the module', timeoutMs: 20_000 },
      });

    test('a slot that only QEMU knows to be taken: another one is taken, and nobody tries the first again', async () => {
      const guest = guestOf('unseen');
      await observedUntil(benchOf(guest), 'the guest reports', isUp);
      // As a module that a killed libvirtd forgot.
      const hmp = (command: string) => lab.hypervisor.virshOk(['qemu-monitor-command', guest.uuid, '--hmp', command]);
      await hmp('object_add memory-backend-ram,id=unseen,size=128M');
      const booted = await guest.memTotalKiB();
      await hmp('device_add pc-dimm,id=unseen-dimm,memdev=unseen,node=0');
      await takes(guest, booted);
      const before = await guest.memTotalKiB();
      const answer = valueOf(await plug(guest, 0));
      // Not as it was asked for: whoever did looks again.
      expect(answer.done).toBe(false);
      const { layout, revision } = await observe(guest);
      expect(answer.revision).toBe(revision);
      expect(layout?.modules).toMatchObject([{ slot: 1, alias: 'ua-dimmer-1', size }]);
      expect(layout?.slots.usedByOthers).toEqual([0]);
      await takes(guest, before);
      expect(codeOf(await plug(guest, 0))).toBe('rejected');
      valueOf(await agent.client.unplug(guest.uuid, revision, unplugRequest(1)));
      await observedUntil(benchOf(guest), 'it is gone', (o) => o.layout?.modules.length === 0);
    });

    test('a device of odd size whose place is not known: the module that it shifts is taken out again, and it is said why', async () => {
      const guest = guestOf('unseen-odd');
      await observedUntil(benchOf(guest), 'the guest reports', isUp);
      const before = await guest.memTotalKiB();
      const answer = await plug(guest, 3);
      expect(answer).toMatchObject({ ok: false, error: { code: 'hotplug-unsupported' } });
      const message = answer.ok ? '' : answer.error.message;
      expect(message).toMatch(/a module would lie at 0x103200000, .* in the way is pc-dimm \(50Mi at no known place\)/);
      const after = await observe(guest);
      expect(after.layout).toMatchObject({ modules: [], slots: { resting: [3] }, hotplugProblem: message });
      expect(await guest.memTotalKiB()).toBe(before);
      // Known by now: nothing is plugged for it.
      const attached = guest.consoleLog().length;
      expect(await plug(guest, 4)).toMatchObject({ ok: false, error: { code: 'hotplug-unsupported', message } });
      expect(guest.consoleLog().length).toBe(attached);
    });

    describe('an NVDIMM of 50 MiB', () => {
      test('is stepped over: the guest takes what is plugged, and gives it back', async () => {
        const guest = guestOf('nvdimm');
        const file = join(lab.hypervisor.directory, 'nvdimm');
        writeFileSync(file, '', { mode: 0o666 });
        truncateSync(file, 50 * MiB);
        const device = join(lab.hypervisor.directory, 'nvdimm.xml');
        const target = `<target><size unit='MiB'>50</size><node>0</node></target>`;
        writeFileSync(device, `<memory model='nvdimm'><source><path>${file}</path></source>${target}</memory>`);
        await lab.hypervisor.virshOk(['attach-device', guest.uuid, device, '--config']);
        await guest.start();
        await observedUntil(benchOf(guest), 'the guest reports', isUp);
        const before = await guest.memTotalKiB();
        for (const slot of [1, 2]) expect(valueOf(await plug(guest, slot)).done).toBe(true);
        const { layout } = await observe(guest);
        expect(layout?.modules.map(({ base }) => base)).toEqual([bytes(gib(4) + mib(128)), bytes(gib(4) + mib(256))]);
        await takes(guest, before + size / 1024);
        valueOf(await agent.client.unplug(guest.uuid, (await observe(guest)).revision, unplugRequest(1)));
        await observedUntil(benchOf(guest), 'it is gone', (o) => o.layout?.modules.length === 1);
      });
    });
  },
  ['hypervisor'],
);
