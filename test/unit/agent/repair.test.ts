/** The repair of what libvirt forgot, on a hypervisor in memory: whom it asks, when, and what it does when it may not. */
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../../src/agent/admission.ts';
import type { AuditRecord } from '../../../src/agent/audit.ts';
import { EventLog } from '../../../src/agent/event-log.ts';
import { createHostService } from '../../../src/agent/host-service.ts';
import { createLibvirtDriver } from '../../../src/drivers/libvirt/driver.ts';
import { LibvirtCallError } from '../../../src/libvirt/domain/errors.ts';
import type { Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import type { MonitorAnswer, MonitorCommand } from '../../../src/libvirt/domain/monitor.ts';
import type { ConnectionListener } from '../../../src/libvirt/rpc/session.ts';
import { stateNamespace, writeState } from '../../../src/libvirt/xml/operation-state.ts';
import { bytes, GiB, gib, mib } from '../../../src/memory/bytes.ts';
import { emptyOperationState } from '../../../src/memory/operation-state.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { claim, codeOf, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { FakeBalloon } from './support/fake-balloon.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const size = mib(512);

type Denial = ConstructorParameters<typeof LibvirtCallError>[0];
const busy: Denial = { code: 68, domain: 0, text: 'cannot acquire state change lock' };
const forbidden: Denial = { code: 88, domain: 10, text: 'access denied' };

/** As libvirt keeps it. */
const asKept = (xml: string | null): string =>
  (xml ?? '')
    .replace('<state', `<x:state xmlns:x='${stateNamespace}'`)
    .replace('</state', '</x:state')
    .replaceAll(/<(claim|mark)/g, '<x:$1');

/** A daemon and a QEMU with 1 GiB of boot memory; `orphan` is in slot 5. */
async function setUp(
  options: {
    readonly orphan?: boolean;
    readonly usable?: number;
    readonly silent?: boolean;
    readonly denial?: Denial;
  } = {},
) {
  const clock = new ManualClock();
  const qemu = new Set(options.orphan === false ? [] : ['ua-dimmer-5']);
  const backends = new Set([...qemu].map((id) => `mem${id}`));
  // A plug leaves its claim, whatever becomes of it.
  const state = {
    metadata: asKept(writeState({ ...emptyOperationState, claim })),
    denial: options.denial ?? (null as Denial | null),
    silent: options.silent ?? false,
    usable: options.usable,
  };
  const asked: number[] = [];
  const commands: string[] = [];
  let connected: ConnectionListener = () => undefined;
  const total = (): number => gib(1) + qemu.size * size;

  const monitor = (command: MonitorCommand): MonitorAnswer => {
    const id = command.arguments?.['id'] ?? '';
    switch (command.execute) {
      case 'query-memory-devices': {
        const data = { slot: 5, addr: 9 * GiB, size };
        return { ok: true, value: [...qemu].map((name) => ({ type: 'dimm', data: { ...data, id: name } })) };
      }
      case 'qom-list':
        return { ok: true, value: [...backends].map((name) => ({ name, type: 'child<memory-backend-ram>' })) };
      case 'device_del':
        asked.push(clock.now());
        if (!state.silent) clock.after(60, () => qemu.delete(id));
        return { ok: true, value: {} };
      case 'object-del':
        backends.delete(id);
        return { ok: true, value: {} };
      default:
        return { ok: false, error: { class: 'CommandNotFound', description: command.execute } };
    }
  };
  const balloon = new FakeBalloon({
    clock,
    figures: () => ({ total: bytes(total()), usable: bytes(state.usable ?? total() - mib(64)) }),
  });
  const hypervisor = {
    connected: true,
    start: () => void connected({ kind: 'connected' }),
    close: () => Promise.resolve(),
    onEvent: () => () => undefined,
    onConnection(listener: ConnectionListener) {
      connected = listener;
      return () => undefined;
    },
    listDomains: () => Promise.resolve([{ uuid, name: 'db-1', id: 1 }]),
    domainState: () => Promise.resolve({ state: 'running', reason: 1 }),
    domainJob: () => Promise.resolve('none'),
    domainXml: () =>
      Promise.resolve(
        `<domain type='kvm' id='1'><name>db-1</name><uuid>${uuid}</uuid><metadata>${state.metadata}</metadata>` +
          `<maxMemory slots='16' unit='GiB'>16</maxMemory><features><acpi/></features>` +
          `<cpu><numa><cell id='0' memory='1' unit='GiB'/></numa></cpu><devices>` +
          `<memballoon model='virtio'><stats period='${balloon.periodSeconds}'/></memballoon></devices></domain>`,
      ),
    memoryStats: () => Promise.resolve({ ...balloon.statistics, balloon: bytes(total()) }),
    setMemoryStatsPeriod(_uuid: string, seconds: number) {
      balloon.setPeriod(seconds);
      return Promise.resolve();
    },
    setMetadata(_uuid: string, uri: string, _prefix: string, xml: string | null) {
      if (uri === stateNamespace) state.metadata = asKept(xml);
      return Promise.resolve();
    },
    attachDevice: () => Promise.resolve(),
    monitorCommand(_uuid: string, command: MonitorCommand) {
      commands.push(command.execute);
      return state.denial === null
        ? Promise.resolve(monitor(command))
        : Promise.reject(new LibvirtCallError(state.denial, 'QEMU_DOMAIN_MONITOR_COMMAND'));
    },
  } as unknown as Hypervisor;

  const audit: AuditRecord[] = [];
  const repairs: string[] = [];
  const driver = createLibvirtDriver(hypervisor, () => ({
    ...{ total: gib(64), available: gib(32), defaultHugePageSize: null },
    nodes: [{ id: 0, total: gib(64), available: gib(32), hugepages: [] }],
    hugepagePools: [],
  }));
  const host = createHostService({
    ...{ driver, events: new EventLog('test'), admits: compilePattern('*'), clock, logger: silentLogger },
    audit: (record) => audit.push(record),
    agentVersion: 'test',
    onOperation(operation, outcome) {
      if (operation === 'repair') repairs.push(outcome);
    },
    identities: { identify: () => 'run', forget: () => undefined },
  });
  const observe = async () => valueOf(await host.observe(uuid));
  const plug = async (slot = 0) => host.plug(uuid, (await observe()).revision, plugRequest(slot, size));
  host.start();
  await clock.advance(0);
  return { clock, host, qemu, backends, state, asked, commands, audit, repairs, observe, plug };
}

describe('memory that libvirt forgot', () => {
  it('is asked for, goes, and was never more than a busy VM to anybody', async () => {
    const { clock, qemu, backends, audit, repairs, observe, plug } = await setUp();
    expect((await observe()).layout?.hotplugProblem).toBeNull();
    // It waits until the guest has said what it can spare.
    const plugging = plug();
    await clock.advance(3_000);
    expect(codeOf(await plugging)).toBe('busy');
    expect([...qemu, ...backends]).toEqual([]);
    expect((await observe()).layout).toMatchObject({ hotplugProblem: null, slots: { resting: [5], usedByOthers: [] } });
    expect(audit.filter(({ operation }) => operation === 'repair')).toMatchObject([
      { client: 'agent', slot: 5, from: gib(1) + size, to: gib(1), result: 'accepted' },
      { slot: 5, result: 'done' },
      { slot: 5, result: 'done' },
    ]);
    expect(repairs).toEqual(['ok', 'ok']);
    expect(codeOf(await plug())).toBe('ok');
  });

  it('is taken off what the guest reported before it left', async () => {
    const { clock, state, qemu, observe } = await setUp();
    state.usable = gib(1);
    await clock.until('it has left', () => qemu.size === 0, 10_000);
    await clock.advance(1_000);
    expect((await observe()).guest?.usable).toBe(gib(1) - size);
    await clock.advance(4_000);
    expect((await observe()).guest?.usable).toBe(gib(1));
  });

  it('is not touched while the guest uses it; that is said to who asks, and after a minute to everybody', async () => {
    const { clock, qemu, state, asked, observe, plug, host } = await setUp({ usable: mib(600) });
    await clock.advance(5_000);
    expect(await plug()).toMatchObject({ error: { code: 'busy' } });
    const refused = await plug();
    expect(refused.ok ? '' : refused.error.message).toContain('module ua-dimmer-5 (512Mi)');
    expect(refused.ok ? '' : refused.error.message).toContain('using the memory');
    expect((await observe()).layout).toMatchObject({ hotplugProblem: null, slots: { usedByOthers: [5] } });
    const events: string[] = [];
    host.watch((event) => events.push(event.kind));
    await clock.advance(60_000);
    expect(events).toContain('statistics');
    expect((await observe()).layout?.hotplugProblem).toContain('using the memory');
    expect(codeOf(await plug())).toBe('hotplug-unsupported');
    expect([asked, qemu.size]).toEqual([[], 1]);
    state.usable = undefined;
    await clock.advance(5_000);
    expect([asked.length, qemu.size]).toEqual([1, 0]);
    expect((await observe()).layout?.hotplugProblem).toBeNull();
  });

  it('is asked for again after 5, 10, 20 s when the guest is silent, each time judged anew', async () => {
    const { clock, asked, state, observe } = await setUp({ silent: true });
    await clock.advance(62_000);
    const gaps = asked.slice(1).map((atMs, index) => Math.round((atMs - (asked[index] ?? 0)) / 1_000));
    expect(gaps.length).toBe(3);
    for (const [index, least] of [5, 10, 20].entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(least);
      expect(gaps[index]).toBeLessThanOrEqual(least + 5);
    }
    expect((await observe()).layout?.hotplugProblem).toContain('has not given ua-dimmer-5 up, asked 4 times');
    const before = asked.length;
    state.usable = mib(600);
    await clock.advance(120_000);
    expect(asked.length).toBe(before);
  });

  it('is left and said as ever when the monitor may not be used; the monitor is not asked again', async () => {
    const { clock, host, commands, observe, plug } = await setUp({ denial: forbidden });
    await clock.advance(2_000);
    expect((await observe()).layout?.hotplugProblem).toContain('512Mi that libvirt does not know of');
    expect(codeOf(await plug())).toBe('hotplug-unsupported');
    const before = commands.length;
    await clock.advance(120_000);
    expect(commands.length).toBe(before);
    // What libvirt knows can still be asked for: there is nothing of the sort here.
    const { revision } = await observe();
    expect(codeOf(await host.unplug(uuid, revision, unplugRequest(0)))).toBe('no-such-module');
  });

  it('is looked for again while libvirt is busy', async () => {
    const { clock, qemu, state, plug } = await setUp({ denial: busy });
    await clock.advance(10_000);
    expect(codeOf(await plug())).toBe('busy');
    state.denial = null;
    await clock.advance(5_000);
    expect(qemu.size).toBe(0);
  });

  it('is never looked for where the balloon counts what the XML shows', async () => {
    const { clock, commands, plug } = await setUp({ orphan: false });
    expect(codeOf(await plug())).toBe('ok');
    await clock.advance(60_000);
    expect(commands).toEqual([]);
  });
});
