/** QEMU's monitor through libvirt, with the answers that libvirt 9.0 and QEMU 7.2 were seen to give. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { readMonitorAnswer } from '../../../src/libvirt/domain/monitor.ts';
import {
  deleteDevice,
  queryMemoryDevices,
  readMemoryBackends,
  readMemoryDevices,
} from '../../../src/libvirt/domain/monitor-memory.ts';
import { Session } from '../../../src/libvirt/rpc/session.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { type Answer, FakeDaemon, type ReceivedCall } from './support/fake-daemon.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';
import { wire } from './support/wire.ts';

const uuid = '468daee6-16e2-4de6-9ed4-c7547e69f756';
const dimm = {
  ...{ memdev: '/objects/memua-dimmer-5', hotplugged: true, addr: 4294967296, hotpluggable: true },
  ...{ size: 134217728, slot: 5, node: 0, id: 'ua-dimmer-5' },
};

async function setUp(answer: Answer) {
  const daemon = new FakeDaemon();
  const calls: ReceivedCall[] = [];
  daemon.monitor = (call) => {
    calls.push(call);
    return answer;
  };
  const session = new Session({
    ...{ endpoint: { transport: 'unix', sockets: ['/nowhere'], openUri: 'qemu:///system' }, dial: daemon.dial },
    ...{ clock: new ManualClock(), random: () => 0 },
  });
  const hypervisor = createHypervisor(session);
  hypervisor.start();
  await settle();
  return { calls, hypervisor, peer: daemon.peer };
}

describe('a monitor command', () => {
  test('goes to the program of QEMU as JSON and gives what QEMU returned', async () => {
    const { calls, hypervisor } = await setUp(wire.string(JSON.stringify({ return: [], id: 'libvirt-7' })));
    expect(await hypervisor.monitorCommand(uuid, deleteDevice('ua-"5'))).toEqual({ ok: true, value: [] });
    const expected = Buffer.concat([
      wire.domain(uuid, '', -1),
      wire.string('{"execute":"device_del","arguments":{"id":"ua-\\"5"}}'),
      wire.int(0),
    ]);
    expect(calls).toMatchObject([{ program: 0x20008087, procedure: 1, payload: expected }]);
  });

  test('gives the refusal of QEMU as an answer', async () => {
    const refusal = { id: 'libvirt-28', error: { class: 'DeviceNotFound', desc: "Device 'ua-dimmer-5' not found" } };
    const { hypervisor } = await setUp(wire.string(JSON.stringify(refusal)));
    expect(await hypervisor.monitorCommand(uuid, queryMemoryDevices)).toEqual({
      ok: false,
      error: { class: 'DeviceNotFound', description: "Device 'ua-dimmer-5' not found" },
    });
  });

  test('rejects when libvirt does not let us, and when what it passes on is no answer', async () => {
    const denied = await setUp({ code: 88, domain: 10, text: 'access denied' });
    await expect(denied.hypervisor.monitorCommand(uuid, queryMemoryDevices)).rejects.toMatchObject({
      kind: 'call',
      class: 'Forbidden',
    });
    const rubbish = await setUp(wire.string('{"event":"RESET"}'));
    await expect(rubbish.hypervisor.monitorCommand(uuid, queryMemoryDevices)).rejects.toMatchObject({
      kind: 'protocol',
    });
    expect(rubbish.hypervisor.connected).toBe(true);
  });

  test('a reply from the wrong program ends the connection', async () => {
    const { calls, hypervisor, peer } = await setUp('silence');
    const answer = hypervisor.monitorCommand(uuid, queryMemoryDevices);
    await settle();
    const [call] = calls as [ReceivedCall];
    peer.answer({ ...call, program: 0x20008086 }, wire.string('{"return":[]}'));
    await expect(answer).rejects.toMatchObject({ kind: 'protocol' });
    expect(hypervisor.connected).toBe(false);
  });
});

describe('what QEMU has of memory', () => {
  test('is read from its own words', () => {
    expect(readMemoryDevices([{ type: 'dimm', data: dimm }])).toEqual([
      { kind: 'dimm', id: 'ua-dimmer-5', slot: 5, base: 4294967296, size: mib(128) },
    ]);
    const virtio = { type: 'virtio-mem', data: { memaddr: 5368709120, 'requested-size': 0, size: 0, id: 'ua-vm0' } };
    expect(readMemoryDevices([virtio])).toMatchObject([{ kind: 'virtio-mem', id: 'ua-vm0', slot: null }]);
    expect(readMemoryDevices([{ type: 'nvdimm', data: { ...dimm, id: undefined } }])).toMatchObject([{ id: null }]);
    expect(
      readMemoryBackends([
        { name: 'type', type: 'string' },
        { name: 'memua-dimmer-5', type: 'child<memory-backend-ram>' },
        { name: 'masterKey0', type: 'child<secret>' },
      ]),
    ).toEqual(['memua-dimmer-5']);
  });

  test('is nothing that can be acted upon when a part of it is not understood', () => {
    for (const value of [null, {}, 'x', [null], [{ type: 'dimm' }], [{ type: 'dimm', data: { ...dimm, size: -1 } }]]) {
      expect(readMemoryDevices(value)).toBeNull();
    }
    expect(readMemoryBackends({})).toBeNull();
  });

  test('never makes the reader throw', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        readMemoryDevices(value);
        readMemoryBackends(value);
        readMonitorAnswer(JSON.stringify(value));
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void readMonitorAnswer(text)));
  });
});
