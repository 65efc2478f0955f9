/** An admin changes modules by hand, at the worst moments: the agent changes nothing on the strength of old knowledge. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { writeDimmXml } from '../../../src/libvirt/xml/device.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { claim, codeOf, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';
import { askApi } from './api-client.ts';
import { type Fate, procedures } from './rpc-relay.ts';

const size = mib(128);

await describeAgent('modules changed by hand', { relayed: true }, (bench) => {
  const { observe, until } = bench;
  beforeAll(async () => {
    await bench.reports();
  });

  async function plugByHand(slot: number, alias: string): Promise<void> {
    const file = join(bench.lab.hypervisor.directory, 'by-hand.xml');
    writeFileSync(file, writeDimmXml({ slot, alias, size, node: 0 }));
    await bench.lab.hypervisor.virshOk(['attach-device', bench.guest.uuid, file, '--live']);
  }
  const modules = async () => (await observe()).layout?.modules.map(({ slot, alias }) => [slot, alias]);

  test('between observing and plugging: 412, and the claim is not taken', async () => {
    const { revision } = await observe();
    await plugByHand(3, 'ua-by-hand');
    const { directory, caPem } = bench.pki.pki;
    const credentials = {
      ca: caPem,
      cert: readFileSync(join(directory, 'controller.crt')),
      key: readFileSync(join(directory, 'controller.key')),
    };
    const answer = await askApi(bench.agent.port, credentials, `/v1/domains/${bench.guest.uuid}/memory/modules`, {
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
    await waitFor(async () => (await bench.guest.memTotalKiB()) > bench.baseKib + 200 * 1024, {
      ...{ what: 'the guest to take both up', timeoutMs: 20_000 },
    });
    const { revision } = await observe();
    await bench.guest.unplugDimm('ua-by-hand-too');
    await until('it is gone', ({ layout }) => layout?.modules.length === 1);
    expect(codeOf(await bench.client.unplug(bench.guest.uuid, revision, unplugRequest(0)))).toBe('stale-revision');
    expect(codeOf(await bench.client.unplug(bench.guest.uuid, revision, unplugRequest(1)))).toBe('stale-revision');
    expect(await modules()).toEqual([[0, 'ua-by-hand']]);
  });

  test('into the very slot, when the agent has judged and is about to attach: rejected, and both stay whole', async () => {
    const { revision } = await observe();
    const reached = bench.relay.intercept(procedures.attachDevice, async (): Promise<Fate> => {
      await plugByHand(0, 'ua-by-hand');
      return 'forward';
    });
    const answer = await bench.client.plug(bench.guest.uuid, revision, plugRequest(0, size));
    await reached;
    expect(codeOf(answer)).toBe('rejected');
    expect(answer.ok ? '' : answer.error.message).toContain('slot');
    const after = await observe();
    expect(after).toMatchObject({ claim, layout: { hotplugProblem: null, modules: [{ alias: 'ua-by-hand' }] } });
    valueOf(await bench.client.plug(bench.guest.uuid, after.revision, plugRequest(1, size)));
    expect(await modules()).toEqual([
      [0, 'ua-by-hand'],
      [1, 'ua-dimmer-1'],
    ]);
  });

  test('with an alias that Dimmer would use: nothing is mixed up', async () => {
    await plugByHand(4, 'ua-dimmer-0');
    const { revision } = await observe();
    const answer = await bench.client.plug(bench.guest.uuid, revision, plugRequest(0, size));
    expect(codeOf(answer)).toBe('rejected');
    expect(await modules()).toEqual([[4, 'ua-dimmer-0']]);
  });

  test('the module that is about to be asked for: no-such-module, and no mark stays', async () => {
    await plugByHand(0, 'ua-by-hand');
    await waitFor(async () => (await bench.guest.memTotalKiB()) > bench.baseKib, {
      ...{ what: 'the guest to take it up', timeoutMs: 20_000 },
    });
    const { revision } = await observe();
    const reached = bench.relay.intercept(procedures.detachDeviceAlias, async (): Promise<Fate> => {
      await bench.guest.unplugDimm('ua-by-hand');
      await waitFor(async () => (await bench.guest.moduleAliases()).length === 0, {
        ...{ what: 'it to go', timeoutMs: 20_000 },
      });
      return 'forward';
    });
    const answer = await bench.client.unplug(bench.guest.uuid, revision, unplugRequest(0));
    await reached;
    expect(codeOf(answer)).toBe('no-such-module');
    expect((await observe()).layout).toMatchObject({ modules: [] });
  });
});
