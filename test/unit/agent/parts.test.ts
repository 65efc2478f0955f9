/** The agent's small parts: admission, identity, event log, locks, limits, host memory. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compilePattern } from '../../../src/agent/admission.ts';
import { EventLog } from '../../../src/agent/event-log.ts';
import {
  describeHiddenMemory,
  findHiddenMemory,
  isCertain,
  isInTheWay,
  rulesOutHidden,
} from '../../../src/agent/repair/suspicion.ts';
import { HostMemory } from '../../../src/agent/host-memory.ts';
import { parseMeminfo, readHostMemory } from '../../../src/drivers/libvirt/host-memory.ts';
import { urisOfSubjectAltName } from '../../../src/agent/http/identity.ts';
import { RateLimit } from '../../../src/runtime/rate-limit.ts';
import { KeyedMutex } from '../../../src/runtime/keyed-mutex.ts';
import { createRunIdentities, startTimeOf } from '../../../src/agent/domain/identity.ts';
import { isStatisticsNews } from '../../../src/agent/guest/statistics-poll.ts';
import { noMemoryStats } from '../../../src/libvirt/domain/statistics.ts';
import type { DomainMemoryXml } from '../../../src/libvirt/xml/domain-memory.ts';
import { type Bytes, bytes, gib, MiB, mib, zeroBytes } from '../../../src/memory/bytes.ts';
import { claim, plugRequest } from '../../contract/bench.ts';

describe('compilePattern', () => {
  it('takes * and ? as a shell does, and all else as it is', () => {
    expect(compilePattern('*')('anything')).toBe(true);
    expect(compilePattern('tenant-*')('tenant-7')).toBe(true);
    expect(compilePattern('tenant-*')('my-tenant-7')).toBe(false);
    expect(compilePattern('db-?')('db-12')).toBe(false);
    expect(compilePattern('a.b')('axb')).toBe(false);
    expect(compilePattern('[ab]')('a')).toBe(false);
    expect(compilePattern('(a+)+$*')('(a+)+$x')).toBe(true);
    expect(compilePattern('a*')('a\nb')).toBe(true);
  });
});

describe('urisOfSubjectAltName', () => {
  it('finds URIs among other names', () => {
    expect(urisOfSubjectAltName('DNS:a.test, URI:spiffe://x/y, IP Address:127.0.0.1, URI:urn:a')).toEqual([
      'spiffe://x/y',
      'urn:a',
    ]);
    expect(urisOfSubjectAltName('URI:spiffe://x/y')).toEqual(['spiffe://x/y']);
    expect(urisOfSubjectAltName('')).toEqual([]);
  });

  it('is not taken in by a name that hides another', () => {
    expect(urisOfSubjectAltName('URI:"x, URI:spiffe://x/y, z"')).toEqual([]);
    expect(urisOfSubjectAltName('DNS:"a\\", URI:spiffe://x/y"')).toEqual([]);
    expect(urisOfSubjectAltName('DNS:"unfinished, URI:spiffe://x/y')).toEqual([]);
  });
});

describe('EventLog', () => {
  const uuid = 'u';
  it('gives what followed an id, and says when it cannot', () => {
    const log = new EventLog('a');
    const start = log.lastId;
    log.append({ kind: 'lifecycle', uuid });
    const middle = log.lastId;
    log.append({ kind: 'statistics', uuid });
    expect(log.since(start)?.map(({ event }) => event.kind)).toEqual(['lifecycle', 'statistics']);
    expect(log.since(middle)?.map(({ event }) => event.kind)).toEqual(['statistics']);
    expect(log.since(log.lastId)).toEqual([]);
    for (const id of ['b-0', 'a-3', 'a--1', 'a-', '', 'rubbish']) expect(log.since(id)).toBeNull();
  });

  it('forgets old events', () => {
    const log = new EventLog('a');
    for (let count = 0; count < 1030; count += 1) log.append({ kind: 'lifecycle', uuid });
    expect(log.since('a-5')).toBeNull();
    expect(log.since('a-6')).toHaveLength(1024);
  });
});

describe('KeyedMutex', () => {
  it('lets one in at a time for each key, in order, and tells when all is done', async () => {
    const mutex = new KeyedMutex();
    const seen: string[] = [];
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const first = mutex.run('a', async () => {
      await gate;
      seen.push('a1');
      throw new Error('fails');
    });
    const second = mutex.run('a', () => Promise.resolve(seen.push('a2')));
    await mutex.run('b', () => Promise.resolve(seen.push('b')));
    expect(mutex.pending).toBe(2);
    open();
    await expect(first).rejects.toThrow('fails');
    await second;
    await mutex.idle();
    expect(seen).toEqual(['b', 'a1', 'a2']);
    expect(mutex.pending).toBe(0);
  });
});

describe('RateLimit', () => {
  const taken = (rates: RateLimit, address: string, nowMs: number): number => {
    let count = 0;
    while (rates.take(address, nowMs)) count += 1;
    return count;
  };

  it('allows a burst, then a rate, for each address', () => {
    const rates = new RateLimit();
    expect(taken(rates, '192.0.2.1', 0)).toBe(60);
    expect(taken(rates, '192.0.2.1', 1_000)).toBe(20);
    expect(taken(rates, '192.0.2.1', 50)).toBe(0);
    expect(taken(rates, '192.0.2.2', 1_000)).toBe(60);
  });

  it('forgets none that has used up its burst, however many others come', () => {
    const rates = new RateLimit();
    expect(taken(rates, '192.0.2.1', 0)).toBe(60);
    for (let index = 0; index < 5_000; index += 1) rates.take(`198.51.100.${index}`, 0);
    expect(taken(rates, '192.0.2.1', 0)).toBe(0);
  });
});

describe('host memory', () => {
  const reading = { total: gib(16), available: gib(8), nodes: [], hugepagePools: [], defaultHugePageSize: null };
  const request = (size: Bytes, more = {}) => plugRequest(0, size, { hostReserve: gib(1), hostOvercommit: 1, ...more });

  it('is not promised twice to plugs at the same time', () => {
    const memory = new HostMemory(() => reading);
    const first = memory.reserve('x', request(gib(5)), null);
    expect(first.ok).toBe(true);
    expect(memory.reserve('x', request(gib(5)), null)).toMatchObject({ error: { code: 'insufficient-host-memory' } });
    if (first.ok) first.value();
    expect(memory.reserve('x', request(gib(5)), null).ok).toBe(true);
  });

  it('counts what VMs were promised and have not touched yet', () => {
    const memory = new HostMemory(() => reading);
    memory.setCommitted('a', gib(12), null);
    expect(memory.reserve('x', request(gib(4)), null)).toMatchObject({ error: { code: 'insufficient-host-memory' } });
    expect(memory.reserve('x', request(gib(3)), null).ok).toBe(true);
    memory.setCommitted('a', zeroBytes, null);
    expect(memory.reserve('x', request(gib(4)), null).ok).toBe(true);
  });

  it('is not promised twice in huge pages either, neither those of the pool nor those made on demand', () => {
    const pageSize = mib(2);
    const nodes = [{ id: 0, total: gib(16), available: gib(8), hugepages: [{ pageSize, total: 512, free: 512 }] }];
    // 256 pages are free and not promised, 1024 can be made; of ordinary memory there is 2 GiB above the reserve.
    const hugepagePools = [{ pageSize, reserved: 256, onDemand: 1024 }];
    const memory = new HostMemory(() => ({ ...reading, available: gib(3), nodes, hugepagePools }));
    const codeOfPlug = (size: Bytes, pages: Bytes | null): string => {
      const reserved = memory.reserve('x', request(size), pages);
      return reserved.ok ? 'ok' : reserved.error.code;
    };
    expect(codeOfPlug(gib(3), pageSize)).toBe('hugepages-unavailable');
    expect(codeOfPlug(gib(1), pageSize)).toBe('ok');
    expect(memory.facts().memory).toMatchObject({ available: mib(2560), committed: gib(1) });
    // Half of that came out of ordinary memory.
    expect(codeOfPlug(gib(2), null)).toBe('insufficient-host-memory');
    expect(codeOfPlug(mib(1536), pageSize)).toBe('ok');
    expect(codeOfPlug(mib(2), pageSize)).toBe('hugepages-unavailable');
    expect(codeOfPlug(mib(2), null)).toBe('insufficient-host-memory');
  });

  describe("within a namespace's limit", () => {
    const [ours, others] = [
      { clusterId: claim.clusterId, namespace: 'tenants' },
      { clusterId: null, namespace: 'else' },
    ];
    const within = (size: Bytes, limit: Bytes) => request(size, { hostOvercommit: 8, namespaceLimit: limit });
    const codeOfPlug = (memory: HostMemory, uuid: string, size: Bytes, limit: Bytes): string => {
      const reserved = memory.reserve(uuid, within(size, limit), null);
      return reserved.ok ? 'ok' : reserved.error.code;
    };

    it('two VMs of one namespace that grow at once do not both pass it', () => {
      const memory = new HostMemory(() => reading);
      for (const uuid of ['a', 'b']) memory.setCommitted(uuid, gib(1), ours);
      expect(codeOfPlug(memory, 'a', gib(1), gib(3))).toBe('ok');
      expect(codeOfPlug(memory, 'b', gib(1), gib(3))).toBe('namespace-limit');
      expect(memory.namespaces()).toEqual([{ ...ours, committed: gib(3) }]);
    });

    it("nor two that were nobody's before: the first counts whole from the moment that it is changed", () => {
      const memory = new HostMemory(() => reading);
      for (const uuid of ['a', 'b']) memory.setCommitted(uuid, gib(1), null);
      const first = memory.reserve('a', within(gib(1), gib(3)), null);
      expect(codeOfPlug(memory, 'b', gib(1), gib(3))).toBe('namespace-limit');
      memory.setHolder('a', ours);
      // The claim is written, and then the plug fails.
      if (first.ok) first.value();
      expect(memory.namespaces()).toEqual([{ ...ours, committed: gib(1) }]);
      expect(codeOfPlug(memory, 'b', gib(1), gib(3))).toBe('ok');
    });

    it('what others have, and VMs that have stopped, count for nothing', () => {
      const memory = new HostMemory(() => reading);
      memory.setCommitted('a', gib(2), ours);
      memory.setCommitted('b', gib(6), others);
      memory.setCommitted('c', gib(2), { ...ours, clusterId: 'another' });
      expect(codeOfPlug(memory, 'a', bytes(gib(1) + 1), gib(3))).toBe('namespace-limit');
      memory.setCommitted('d', gib(2), ours);
      expect(codeOfPlug(memory, 'a', gib(1), gib(3))).toBe('namespace-limit');
      memory.setCommitted('d', zeroBytes, null);
      expect(codeOfPlug(memory, 'a', gib(1), gib(3))).toBe('ok');
    });

    it('whose a VM is stays known where its metadata cannot be read any more', () => {
      const memory = new HostMemory(() => reading);
      memory.setCommitted('a', gib(2), ours);
      memory.setCommitted('a', gib(3), 'unread');
      memory.setCommitted('b', gib(3), 'unread');
      expect(memory.namespaces()).toEqual([{ ...ours, committed: gib(3) }]);
    });

    it('what goes to another namespace counts there from its first change, and here no more', () => {
      const memory = new HostMemory(() => reading);
      memory.setCommitted('a', gib(2), others);
      expect(codeOfPlug(memory, 'a', gib(1), bytes(gib(3) - 1))).toBe('namespace-limit');
      expect(codeOfPlug(memory, 'a', gib(1), gib(3))).toBe('ok');
      expect(memory.namespaces()).toEqual([{ ...ours, committed: gib(3) }]);
    });
  });

  it('reads what the kernel shows', () => {
    expect(parseMeminfo('MemTotal:  16 kB\nNode 0 MemFree:  4 kB\nHugePages_Total: 3\nrubbish')).toEqual(
      new Map([
        ['MemTotal', 16 * 1024],
        ['MemFree', 4 * 1024],
      ]),
    );
    const root = mkdtempSync(join(tmpdir(), 'dimmer-memory-'));
    mkdirSync(join(root, 'devices/system/node/node1/hugepages/hugepages-2048kB'), { recursive: true });
    mkdirSync(join(root, 'devices/system/node/node0'), { recursive: true });
    writeFileSync(join(root, 'meminfo'), 'MemTotal: 1000 kB\nMemAvailable: 500 kB\nHugepagesize: 2048 kB\n');
    for (const node of [0, 1]) {
      const text = `Node ${node} MemTotal: 500 kB\nNode ${node} MemFree: ${100 + node} kB\n`;
      writeFileSync(join(root, `devices/system/node/node${node}/meminfo`), text);
    }
    const pages = join(root, 'devices/system/node/node1/hugepages/hugepages-2048kB');
    writeFileSync(join(pages, 'nr_hugepages'), '8\n');
    writeFileSync(join(pages, 'free_hugepages'), '3\n');
    const pool = join(root, 'kernel/mm/hugepages/hugepages-2048kB');
    mkdirSync(pool, { recursive: true });
    for (const [name, count] of [
      ['resv_hugepages', 2],
      ['nr_overcommit_hugepages', 10],
      ['surplus_hugepages', 4],
    ] as const) {
      writeFileSync(join(pool, name), `${count}\n`);
    }
    expect(readHostMemory(root, root)).toEqual({
      total: 1_024_000,
      available: 512_000,
      defaultHugePageSize: 2 * MiB,
      nodes: [
        { id: 0, total: 512_000, available: 102_400, hugepages: [] },
        { id: 1, total: 512_000, available: 103_424, hugepages: [{ pageSize: 2 * MiB, total: 8, free: 3 }] },
      ],
      hugepagePools: [{ pageSize: 2 * MiB, reserved: 2, onDemand: 6 }],
    });
    rmSync(root, { recursive: true });
  });
});

describe('run identity', () => {
  it('reads the start time past any process name', () => {
    const rest = Array.from({ length: 30 }, (_, index) => String(index + 3)).join(' ');
    expect(startTimeOf(`12 (a) b) ${rest}`)).toBe('22');
    expect(startTimeOf('')).toBeNull();
  });

  it('changes with the process even when libvirt gives the same id again', () => {
    const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
    const proc = mkdtempSync(join(tmpdir(), 'dimmer-proc-'));
    mkdirSync(join(proc, 'sys/kernel/random'), { recursive: true });
    writeFileSync(join(proc, 'sys/kernel/random/boot_id'), '01234567-89ab\n');
    mkdirSync(join(proc, '42'));
    writeFileSync(join(proc, '42/cmdline'), `qemu\0-uuid\0${uuid}\0-S\0`);
    const startAt = (ticks: number) => {
      writeFileSync(join(proc, '42/stat'), `42 (qemu) S ${'0 '.repeat(18)}${ticks} 0`);
    };
    startAt(100);
    const identities = createRunIdentities(proc);
    expect(identities.identify(uuid, 1)).toBe('01234567/1/100');
    startAt(200);
    expect(identities.identify(uuid, 1)).toBe('01234567/1/100');
    identities.forget();
    expect(identities.identify(uuid, 1)).toBe('01234567/1/200');
    expect(identities.identify('00000000-0000-4000-8000-000000000000', 3)).toBe('01234567/3/-');
    rmSync(proc, { recursive: true });
  });
});

describe('run identity of many domains', () => {
  const uuids = Array.from({ length: 20 }, (_, index) => `6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a${index + 10}`);
  const proc = mkdtempSync(join(tmpdir(), 'dimmer-proc-'));
  const files = new Map<string, string>([[`${proc}/sys/kernel/random/boot_id`, '01234567-89ab\n']]);
  const start = (pid: number, uuid: string, ticks: number): void => {
    mkdirSync(join(proc, String(pid)), { recursive: true });
    files.set(`${proc}/${pid}/cmdline`, `qemu\0-uuid\0${uuid}\0-S\0`);
    files.set(`${proc}/${pid}/stat`, `${pid} (qemu) S ${'0 '.repeat(18)}${ticks} 0`);
  };
  const reads: string[] = [];
  const identities = createRunIdentities(proc, (path) => {
    reads.push(path);
    return files.get(path) ?? null;
  });
  afterAll(() => rmSync(proc, { recursive: true }));

  it('looks at every process once', () => {
    uuids.forEach((uuid, index) => start(100 + index, uuid, 1_000 + index));
    const met = uuids.map((uuid, index) => identities.identify(uuid, index + 1));
    expect(met).toEqual(uuids.map((_, index) => `01234567/${index + 1}/${1_000 + index}`));
    expect(reads.filter((path) => path.endsWith('cmdline'))).toHaveLength(20);
  });

  it('sees that a domain has another process since, also under the same number', () => {
    files.delete(`${proc}/100/cmdline`);
    files.delete(`${proc}/100/stat`);
    start(300, uuids[0] ?? '', 5_000);
    expect(identities.identify(uuids[0] ?? '', 21)).toBe('01234567/21/5000');
    start(101, uuids[1] ?? '', 6_000);
    expect(identities.identify(uuids[1] ?? '', 22)).toBe('01234567/22/6000');
  });
});

describe('hidden memory', () => {
  const memory = { boot: [{ node: 0, size: mib(512) }], modules: [], others: [] } as unknown as DomainMemoryXml;
  const statistics = (balloon: Bytes | null) => ({
    ...noMemoryStats,
    balloon,
  });

  it('is what the balloon counts beyond the XML, and certain after a second', () => {
    expect(findHiddenMemory(memory, null, null, 0)).toBeNull();
    expect(findHiddenMemory(memory, statistics(mib(256)), null, 0)).toBeNull();
    expect(findHiddenMemory(memory, statistics(mib(512)), null, 0)).toBeNull();
    const first = findHiddenMemory(memory, statistics(mib(640)), null, 100);
    expect(first).toEqual({ size: mib(128), sinceMs: 100 });
    const second = findHiddenMemory(memory, statistics(mib(640)), first, 1_200);
    expect(second).toBe(first);
    expect(first !== null && [isCertain(first, 1_000), isCertain(first, 1_100)]).toEqual([false, true]);
    expect(findHiddenMemory(memory, statistics(mib(768)), first, 1_200)).toEqual({ size: mib(256), sinceMs: 1_200 });
  });

  it('is not what virtio-mem gives, nor a DIMM of the command line', () => {
    const device = { slot: null, base: null, size: mib(256), given: mib(128), requested: mib(128) };
    const beside = { ...memory, others: ['virtio-mem', 'pc-dimm'].map((model) => ({ ...device, model })) };
    expect(findHiddenMemory(beside, statistics(mib(896)), null, 0)).toBeNull();
    expect(findHiddenMemory(beside, statistics(mib(1152)), null, 0)).toEqual({ size: mib(128), sinceMs: 0 });
  });

  it('that turned out to be an old figure stays one while modules are plugged below it, and no longer', () => {
    const old = { size: mib(256), sinceMs: 100, diagnosis: 'old-figure' as const };
    expect(isInTheWay(old)).toBe(false);
    expect(findHiddenMemory(memory, statistics(mib(640)), old, 5_000)).toBe(old);
    expect(findHiddenMemory(memory, statistics(mib(896)), old, 5_000)).toEqual({ size: mib(384), sinceMs: 5_000 });
    const foreign = { ...old, diagnosis: 'not-ours' as const };
    expect(isInTheWay(foreign)).toBe(true);
    expect(findHiddenMemory(memory, statistics(mib(640)), foreign, 5_000)).toEqual({ size: mib(128), sinceMs: 5_000 });
    expect(describeHiddenMemory(foreign)).toContain('256Mi that libvirt does not know of');
    expect(describeHiddenMemory({ ...old, diagnosis: 'denied' })).toContain('monitor');
  });

  it('is ruled out by a balloon that counts exactly what is known, and by nothing else', () => {
    expect(rulesOutHidden(memory, statistics(mib(512)))).toBe(true);
    for (const balloon of [null, mib(256), mib(640)]) expect(rulesOutHidden(memory, statistics(balloon))).toBe(false);
    expect(rulesOutHidden(memory, null)).toBe(false);
  });
});

describe('isStatisticsNews', () => {
  const report = {
    total: mib(1000),
    usable: mib(500),
    free: mib(400),
    reportedAtMs: 0,
    fresh: true,
    ofThisBoot: true,
    takenOfModules: null,
    totalWithoutModules: null,
  };
  it('tells a first report, another total and a real change, and nothing else', () => {
    expect(isStatisticsNews(null, report)).toBe(true);
    expect(isStatisticsNews(null, { ...report, fresh: false })).toBe(false);
    expect(isStatisticsNews(report, { ...report, reportedAtMs: 2_000 })).toBe(false);
    expect(isStatisticsNews(report, { ...report, usable: mib(463) })).toBe(false);
    expect(isStatisticsNews(report, { ...report, usable: mib(400) })).toBe(true);
    expect(isStatisticsNews(report, { ...report, total: mib(1128) })).toBe(true);
    expect(isStatisticsNews(report, { ...report, fresh: false })).toBe(false);
  });
});
