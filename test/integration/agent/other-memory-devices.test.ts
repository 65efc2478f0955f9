/** virtio-mem beside modules, and what stands behind a VM's memory, on real libvirt. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { totalOf } from '../../../src/host/rules/total.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, createAgentPki, startAgentFixture } from './agent-fixture.ts';

const size = mib(128);
const virtioMem = `<memory model='virtio-mem'><alias name='ua-elastic'/><target><size unit='MiB'>1024</size>
  <node>0</node><block unit='MiB'>2</block><requested unit='MiB'>256</requested></target></memory>`;

await describeLab(
  'other memory devices',
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let agent: AgentFixture;

    beforeAll(async () => {
      lab = await startLab({
        guests: [
          // 512 of boot memory, 1024 of virtio-mem and room for 256 of modules; a slot for each device.
          { kind: 'accepting', slots: 2, maxMemoryMib: 1792, extraDevicesXml: virtioMem },
          {
            kind: 'no-os',
            extraXml: `<memoryBacking><allocation mode='immediate'/></memoryBacking>
              <numatune><memory mode='strict' nodeset='0'/></numatune>`,
          },
        ],
      });
      guest = lab.guest('accepting');
      agent = await startAgentFixture(lab.hypervisor.uri, await createAgentPki(lab.hypervisor.directory));
      await observedUntil(bench(), 'the guest reports', isUp);
    });
    afterAll(async () => {
      await agent.stop();
      await lab.stop();
    });

    const bench = () => ({ host: agent.client, uuid: guest.uuid });
    const observe = async () => valueOf(await agent.client.observe(guest.uuid));
    const plug = async (slot: number, bytes = size) =>
      agent.client.plug(guest.uuid, (await observe()).revision, plugRequest(slot, bytes));

    test('what virtio-mem gives is in the total, beside modules that come and go', async () => {
      const given = await observedUntil(bench(), 'virtio-mem gives', ({ layout }) => layout?.otherTotal === mib(256));
      expect(given.layout).toMatchObject({ otherBytes: mib(1024), slots: { total: 2, unnumbered: 1 }, modules: [] });
      expect(given.layout === null ? 0 : totalOf(given.layout)).toBe(mib(768));
      const before = await guest.memTotalKiB();

      valueOf(await plug(0));
      const { layout } = await observe();
      expect(layout === null ? 0 : totalOf(layout)).toBe(mib(896));
      expect(layout?.hotplugProblem).toBeNull();
      await waitFor(async () => (await guest.memTotalKiB()) === before + 128 * 1024, {
        ...{ what: 'the guest to take the module up', timeoutMs: 20_000 },
      });
    });

    test('it takes a slot and its whole size of the maximum, as libvirt has it', async () => {
      // One slot has the module; the other is taken by virtio-mem, though no number says so.
      const { error } = (await plug(1)) as { error: { message: string } };
      expect(error.message).toContain("exceeds slots count '2'");
      expect(codeOf(await plug(1, mib(256)))).toBe('rejected');
    });

    test('a module is given back, virtio-mem keeps what it gives', async () => {
      valueOf(await agent.client.unplug(guest.uuid, (await observe()).revision, unplugRequest(0)));
      const after = await observedUntil(bench(), 'it is gone', ({ layout }) => layout?.modules.length === 0);
      expect(after.layout?.otherTotal).toBe(mib(256));
      expect(await guest.dumpXml()).toMatch(/<current unit='KiB'>262144<\/current>/);
    });

    test('preallocated memory and host nodes are read as libvirt shows them', async () => {
      const { layout } = valueOf(await agent.client.observe(lab.guest('no-os').uuid));
      expect(layout?.backings).toEqual([{ nodes: [0], pageSize: null, preallocated: true, hostNodes: [0] }]);
    });
  },
  ['hypervisor'],
);
