/** An admin changes modules by hand, at the worst moments: the agent changes nothing on the strength of old knowledge. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { writeDimmXml } from '../../../src/libvirt/xml/device.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { claim, codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, type AgentPki, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { askApi } from './api-client.ts';
import { clearGuest } from './clear-guest.ts';
import { type Fate, procedures, type RpcRelay, startRpcRelay } from './rpc-relay.ts';

const size = mib(128);

await describeLab(
  'modules changed by hand',
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let pki: AgentPki;
    let relay: RpcRelay;
    let agent: AgentFixture;
    let baseKib: number;

    beforeAll(async () => {
      lab = await startLab({ guests: [{ kind: 'accepting' }] });
      guest = lab.guest('accepting');
      baseKib = await guest.memTotalKiB();
      pki = await createAgentPki(lab.hypervisor.directory);
      relay = await startRpcRelay(join(lab.hypervisor.directory, 'relay.sock'), lab.hypervisor.socketPath);
      agent = await startAgentFixture(relay.uri, pki);
      await observedUntil(bench(), 'the guest reports', isUp);
    });
    afterAll(async () => {
      await agent.stop();
      relay.close();
      await lab.stop();
    });
    afterEach(() => clearGuest(lab.hypervisor, guest));

    const bench = () => ({ host: agent.client, uuid: guest.uuid });
    const observe = async () => valueOf(await agent.client.observe(guest.uuid));
    async function plugByHand(slot: number, alias: string): Promise<void> {
      const file = join(lab.hypervisor.directory, 'by-hand.xml');
      writeFileSync(file, writeDimmXml({ slot, alias, size, node: 0 }));
      await lab.hypervisor.virshOk(['attach-device', guest.uuid, file, '--live']);
    }
    const modules = async () => (await observe()).layout?.modules.map(({ slot, alias }) => [slot, alias]);

    test('between observing and plugging: 412, and the claim is not taken', async () => {
      const { revision } = await observe();
      await plugByHand(3, 'ua-by-hand');
      const { directory, caPem } = pki.pki;
      const credentials = {
        ca: caPem,
        cert: readFileSync(join(directory, 'controller.crt')),
        key: readFileSync(join(directory, 'controller.key')),
      };
      const answer = await askApi(agent.port, credentials, `/v1/domains/${guest.uuid}/memory/modules`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'if-match': `"${revision}"` },
        body: JSON.stringify(plugRequest(0, size)),
      });
      expect([answer.status, answer.type]).toEqual([412, 'application/problem+json']);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'stale-revision', status: 412 });
      expect(await observe()).toMatchObject({ claim: null, layout: { modules: [{ slot: 3, alias: 'ua-by-hand' }] } });
    });

    test('between observing and unplugging: 412, whichever module it was', async () => {
      await plugByHand(0, 'ua-by-hand');
      await plugByHand(1, 'ua-by-hand-too');
      await waitFor(async () => (await guest.memTotalKiB()) > baseKib + 200 * 1024, {
        ...{ what: 'the guest to take both up', timeoutMs: 20_000 },
      });
      const { revision } = await observe();
      await guest.unplugDimm('ua-by-hand-too');
      await observedUntil(bench(), 'it is gone', ({ layout }) => layout?.modules.length === 1);
      expect(codeOf(await agent.client.unplug(guest.uuid, revision, unplugRequest(0)))).toBe('stale-revision');
      expect(codeOf(await agent.client.unplug(guest.uuid, revision, unplugRequest(1)))).toBe('stale-revision');
      expect(await modules()).toEqual([[0, 'ua-by-hand']]);
    });

    test('into the very slot, when the agent has judged and is about to attach: rejected, and both stay whole', async () => {
      const { revision } = await observe();
      const reached = relay.intercept(procedures.attachDevice, async (): Promise<Fate> => {
        await plugByHand(0, 'ua-by-hand');
        return 'forward';
      });
      const answer = await agent.client.plug(guest.uuid, revision, plugRequest(0, size));
      await reached;
      expect(codeOf(answer)).toBe('rejected');
      expect(answer.ok ? '' : answer.error.message).toContain('slot');
      const after = await observe();
      expect(after).toMatchObject({ claim, layout: { hotplugProblem: null, modules: [{ alias: 'ua-by-hand' }] } });
      valueOf(await agent.client.plug(guest.uuid, after.revision, plugRequest(1, size)));
      expect(await modules()).toEqual([
        [0, 'ua-by-hand'],
        [1, 'ua-dimmer-1'],
      ]);
    });

    test('with an alias that Dimmer would use: nothing is mixed up', async () => {
      await plugByHand(4, 'ua-dimmer-0');
      const { revision } = await observe();
      const answer = await agent.client.plug(guest.uuid, revision, plugRequest(0, size));
      expect(codeOf(answer)).toBe('rejected');
      expect(await modules()).toEqual([[4, 'ua-dimmer-0']]);
    });

    test('the module that is about to be asked for: no-such-module, and no mark stays', async () => {
      await plugByHand(0, 'ua-by-hand');
      await waitFor(async () => (await guest.memTotalKiB()) > baseKib, {
        ...{ what: 'the guest to take it up', timeoutMs: 20_000 },
      });
      const { revision } = await observe();
      const reached = relay.intercept(procedures.detachDeviceAlias, async (): Promise<Fate> => {
        await guest.unplugDimm('ua-by-hand');
        await waitFor(async () => (await guest.moduleAliases()).length === 0, {
          ...{ what: 'it to go', timeoutMs: 20_000 },
        });
        return 'forward';
      });
      const answer = await agent.client.unplug(guest.uuid, revision, unplugRequest(0));
      await reached;
      expect(codeOf(answer)).toBe('no-such-module');
      expect((await observe()).layout).toMatchObject({ modules: [] });
    });
  },
  ['hypervisor'],
);
