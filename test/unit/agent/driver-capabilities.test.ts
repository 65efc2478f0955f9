/** What the agent does without: drivers that can't do everything that libvirt can. */
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../../src/agent/admission.ts';
import type { DomainDescription } from '../../../src/agent/domain/description.ts';
import type { ConnectionChange, Driver, DriverCapabilities, MemoryStatistics } from '../../../src/agent/driver.ts';
import { DriverError } from '../../../src/agent/driver-error.ts';
import { EventLog } from '../../../src/agent/event-log.ts';
import { withLeadership } from '../../../src/host/leadership.ts';
import { createHostService } from '../../../src/agent/host-service.ts';
import { bytes, GiB, gib, mib } from '../../../src/memory/bytes.ts';
import type { Leader } from '../../../src/memory/leader.ts';
import { emptyOperationState, type OperationState } from '../../../src/memory/operation-state.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { claim, codeOf, leadershipOf, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const ref = { uuid, name: 'db-1', id: 1 };

/** A driver of one VM with a module in slot 0, and what was done to it. */
async function setUp(capabilities: DriverCapabilities, preallocates = false) {
  const clock = new ManualClock();
  const done: string[] = [];
  const logged: { readonly fields: object; readonly message: string }[] = [];
  let operations: OperationState = emptyOperationState;
  let leader: Leader | null = null;
  let written: () => unknown = () => undefined;
  let connected: (change: ConnectionChange) => void | Promise<void> = () => undefined;
  const backing = { pageSize: null, hostNodes: null };
  let stored: DomainDescription['modules'] | null = [];
  let full = false;
  const domain = (): DomainDescription => ({
    ...ref,
    ...{ type: 'kvm', arch: 'x86_64', machine: 'q35' },
    maxMemory: { size: gib(16), slots: 16 },
    hotplugObstacle: null,
    boot: [{ node: 0, size: gib(1) }],
    hasNumaNodes: true,
    modules: [{ slot: 0, base: bytes(4 * GiB), size: mib(512), alias: 'ua-dimmer-0', node: 0, ...backing }],
    ...{ others: [], otherTotal: bytes(0), hardLimit: null, currentMemory: mib(1536) },
    backing: {
      ...{ hugePages: [], preallocates, pins: false, sharedWith: null },
      hostNodes: { others: null, byNode: new Map<number, readonly number[]>() },
    },
    balloon: { statsPeriodSeconds: 0 },
    periodToRestore: null,
    leader,
    state: { ok: true, value: operations },
    ownerNamespace: { ok: true, value: null },
  });
  const statistics = (): MemoryStatistics => {
    const lastUpdateMs = Math.floor(clock.now() / 1000) * 1000;
    const report = String(lastUpdateMs);
    return { available: mib(1400), unused: mib(900), usable: mib(1000), balloon: mib(1536), lastUpdateMs, report };
  };
  const does = (what: string) => {
    done.push(what);
    return Promise.resolve();
  };
  const driver: Driver = {
    ...{ name: 'other', capabilities, connected: true },
    start: () => void connected({ kind: 'connected' }),
    close: () => Promise.resolve(),
    onEvent: () => () => undefined,
    onConnection(listener) {
      connected = listener;
      return () => undefined;
    },
    versions: () => Promise.resolve({ libvirt: '9.0.0', hypervisor: '7.2.0' }),
    hostMemory: () => ({ total: gib(64), available: gib(32), nodes: [], hugepagePools: [], defaultHugePageSize: null }),
    listDomains: () => Promise.resolve([ref]),
    describe: () => Promise.resolve({ ok: true, value: domain() }),
    state: () => Promise.resolve('Running'),
    job: () => Promise.resolve('none'),
    statistics: () => Promise.resolve(statistics()),
    memoryBlocks: () => Promise.resolve({ blocks: null, problem: 'NoChannel' }),
    setStatisticsPeriod: (_uuid, seconds) => does(`period ${seconds}`),
    recordStatisticsPeriod: (_uuid, seconds) => does(`record ${seconds}`),
    writeOperationState(_uuid, state) {
      operations = state;
      written();
      return does('write');
    },
    recordLeader(_uuid, newest) {
      leader = newest;
      return does(`leader ${newest.epoch}`);
    },
    attach: (_uuid, { slot }) => {
      done.push(`attach ${slot}`);
      return Promise.reject(new DriverError('Failed', 'QEMU refused'));
    },
    detach: (_uuid, alias) => does(`detach ${alias}`),
    describeStored: () =>
      stored === null
        ? Promise.resolve(null)
        : Promise.resolve({ ok: true, value: { ...domain(), id: null, modules: stored } }),
    storeModule: (_uuid, { slot, alias, size, node }) => {
      if (full) return Promise.reject(new DriverError('Failed', 'libvirt: No space left on device (error 38)'));
      stored = [...(stored ?? []), { slot, alias, size, node: node ?? 0, base: null, ...backing }];
      return does(`store ${slot}`);
    },
    unstoreModule: (_uuid, module) => {
      stored = stored?.filter((other) => other !== module) ?? null;
      return does(`unstore ${module.slot}`);
    },
    monitor: {
      memory: () => Promise.resolve({ devices: [], backends: [] }),
      requestRemoval: () => Promise.resolve(null),
      deleteBackend: () => Promise.resolve(null),
    },
  };
  const log = (fields: object, message: string) => void logged.push({ fields, message });
  const startAgent = async () => {
    const service = createHostService({
      ...{ driver, clock, events: new EventLog('test'), admits: compilePattern('*'), agentVersion: 'test' },
      logger: { ...silentLogger, info: log, warn: log, error: log },
      audit: () => undefined,
      identities: { identify: () => 'run', forget: () => undefined },
    });
    service.start();
    await clock.advance(3_000);
    return service;
  };
  const host = await startAgent();
  const unplug = async (needsWord: boolean) => {
    const { revision } = valueOf(await host.observe(uuid));
    return host.unplug(uuid, revision, {
      ...unplugRequest(0),
      ...(needsWord ? { minUsableAfter: mib(128) } : {}),
    });
  };
  const plug = async () => {
    const { revision } = valueOf(await host.observe(uuid));
    return host.plug(uuid, revision, plugRequest(1, mib(128)));
  };
  const onWrite = (listener: () => unknown) => void (written = listener);
  const persist = async (more = {}) => {
    const { revision } = valueOf(await host.observe(uuid));
    return host.persist(uuid, revision, { ...claim, ...more });
  };
  const store = (modules: typeof stored) => void (stored = modules);
  const fill = (isFull: boolean) => void (full = isFull);
  return { done, logged, host, unplug, plug, persist, store, fill, startAgent, onWrite };
}

describe('a driver that cannot ask a guest for its memory', () => {
  const lacking = { refusalEvents: true, statisticsOnDemand: false, storedDefinition: false };

  it("unplugs nothing that the guest's word is needed for, says why, and leaves the VM as it is", async () => {
    const { done, unplug } = await setUp(lacking);
    const refused = await unplug(true);
    expect(codeOf(refused)).toBe('guest-memory-unknown');
    expect(refused.ok ? '' : refused.error.message).toBe(
      "The agent's driver (other) cannot ask the guest of VM db-1 for its memory",
    );
    expect(done).toEqual([]);
  });

  it('unplugs where nobody wants that word', async () => {
    const { done, unplug } = await setUp(lacking);
    expect(codeOf(await unplug(false))).toBe('ok');
    expect(done).toEqual(['write', 'detach ua-dimmer-0']);
  });
});

it('what a driver lacks is in the log at each connect', async () => {
  const connects = async (capabilities: DriverCapabilities) =>
    (await setUp(capabilities)).logged.flatMap(({ fields, message }) =>
      message === 'other is connected' ? [fields] : [],
    );
  const domains = { domains: 1, running: 1 };
  expect(await connects({ refusalEvents: false, statisticsOnDemand: false, storedDefinition: false })).toEqual([
    { ...domains, lacks: ['refusalEvents', 'statisticsOnDemand', 'storedDefinition'] },
  ]);
  expect(await connects({ refusalEvents: true, statisticsOnDemand: true, storedDefinition: true })).toEqual([domains]);
});

describe('a plug that QEMU refuses wherever it is tried', () => {
  const attaches = async (preallocates: boolean) => {
    const { done, plug } = await setUp(
      { refusalEvents: true, statisticsOnDemand: true, storedDefinition: false },
      preallocates,
    );
    expect(codeOf(await plug())).toBe('hypervisor-failed');
    return done.filter((what) => what.startsWith('attach'));
  };

  it('is tried under other names, then in other slots', async () => {
    expect(await attaches(false)).toEqual(['attach 1', 'attach 1', 'attach 1', 'attach 2', 'attach 3', 'attach 4']);
  });

  it('is tried once more only where each try stops the guest', async () => {
    expect(await attaches(true)).toEqual(['attach 1', 'attach 15']);
  });
});

describe('an agent on any driver', () => {
  const plain = { refusalEvents: true, statisticsOnDemand: false, storedDefinition: false };

  it('keeps with the VM which leader changed it, before it changes anything, and once', async () => {
    const { done, host } = await setUp(plain);
    const led = withLeadership(host, leadershipOf(5));
    const { revision } = valueOf(await host.observe(uuid));
    await led.plug(uuid, revision, plugRequest(1, mib(128)));
    expect(done.slice(0, 3)).toEqual(['leader 5', 'write', 'attach 1']);
    await led.plug(uuid, revision, plugRequest(2, mib(128)));
    expect(done.filter((what) => what.startsWith('leader'))).toEqual(['leader 5']);
  });

  it('knows after a restart which leader was the newest, by any of its VMs', async () => {
    const { done, host, startAgent } = await setUp(plain);
    const { revision } = valueOf(await host.observe(uuid));
    valueOf(await withLeadership(host, leadershipOf(5)).unplug(uuid, revision, unplugRequest(0)));
    const before = [...done];

    const anew = await startAgent();
    const late = leadershipOf(4);
    expect(anew.lead({ election: 'cluster/dimmer-system/dimmer-controller', epoch: 4 })).toMatchObject({ ok: false });
    const now = valueOf(await anew.observe(uuid));
    expect(codeOf(await withLeadership(anew, late).unplug(uuid, now.revision, unplugRequest(0)))).toBe('not-leader');
    expect(late.refusedBy).toEqual([5]);
    expect(done).toEqual(before);
  });

  it('refuses a change whose leader is followed by another one while it is being prepared', async () => {
    const { done, host, onWrite } = await setUp(plain);
    const { revision } = valueOf(await host.observe(uuid));
    onWrite(() => host.lead({ election: 'cluster/dimmer-system/dimmer-controller', epoch: 6 }));
    const refused = await withLeadership(host, leadershipOf(5)).plug(uuid, revision, plugRequest(1, mib(128)));
    expect(codeOf(refused)).toBe('not-leader');
    expect(done).toEqual(['leader 5', 'write']);
  });
});

describe('a driver that knows stored definitions', () => {
  const knowing = { refusalEvents: true, statisticsOnDemand: false, storedDefinition: true };
  const other = { slot: 3, base: null, size: mib(512), alias: null, node: 0, pageSize: null, hostNodes: null };

  it('writes the claim first, then takes out what has left, then puts in what is there, and writes nothing twice', async () => {
    const { done, host, persist, store } = await setUp(knowing);
    store([other]);
    expect(valueOf(await host.observe(uuid)).stored).toMatchObject({ isSame: false, obstacle: null });
    expect(valueOf(await persist()).stored).toMatchObject({ isSame: true, obstacle: null });
    expect(done).toEqual(['write', 'unstore 3', 'store 0']);
    expect(codeOf(await persist())).toBe('ok');
    expect(done).toEqual(['write', 'unstore 3', 'store 0']);
    expect(valueOf(await host.observe(uuid)).stored).toMatchObject({ isSame: true });
  });

  it('goes on from where it was ended half-way', async () => {
    const { done, persist, store, fill } = await setUp(knowing);
    store([other]);
    fill(true);
    expect(codeOf(await persist())).toBe('hypervisor-failed');
    fill(false);
    expect(codeOf(await persist())).toBe('ok');
    expect(done).toEqual(['write', 'unstore 3', 'store 0']);
  });

  it('touches nothing where a module of the definition has neither slot nor alias, nor of a transient VM', async () => {
    const { done, persist, store } = await setUp(knowing);
    store([{ ...other, slot: null }]);
    const refused = await persist();
    expect(codeOf(refused)).toBe('rejected');
    expect(refused.ok ? '' : refused.error.message).toContain('a module of 512Mi with neither slot nor alias');
    store(null);
    expect(codeOf(await persist())).toBe('rejected');
    expect(done).toEqual([]);
  });

  it('is asked for nothing where it does not', async () => {
    const { done, host, persist } = await setUp({ ...knowing, storedDefinition: false });
    expect(valueOf(await host.observe(uuid))).not.toHaveProperty('stored');
    expect(codeOf(await persist())).toBe('rejected');
    expect(done).toEqual([]);
  });

  it('writes nothing while a module is leaving', async () => {
    const { done, unplug, persist } = await setUp(knowing);
    expect(codeOf(await unplug(false))).toBe('ok');
    expect(codeOf(await persist())).toBe('unplug-unsettled');
    expect(done).not.toContain('store 0');
  });
});
