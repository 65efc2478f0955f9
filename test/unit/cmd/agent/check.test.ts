/** What `dimmer agent check` says of VMs, sockets and versions; against real ones in test/integration/agent. */
import { describe, expect, it } from 'vitest';
import type { DomainFacts } from '../../../../src/agent/domain/facts.ts';
import { RunningDomain } from '../../../../src/agent/domain/running-domain.ts';
import { judgeDomain, unusableDomain } from '../../../../src/agent/check/domain.ts';
import { describeUnopened, judgeVersions, type SocketProbe } from '../../../../src/drivers/libvirt/check.ts';
import { formatReport, toReport } from '../../../../src/agent/check/report.ts';
import { readAgentArguments } from '../../../../src/cmd/agent/options.ts';
import { readDomainMemory } from '../../../../src/libvirt/xml/domain.ts';
import { noMemoryStats } from '../../../../src/libvirt/domain/statistics.ts';
import { gib, mib, zeroBytes } from '../../../../src/memory/bytes.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const nowMs = 1_750_000_000_000;

type Shape = {
  readonly maxMemory?: string;
  readonly cell?: string;
  readonly features?: string;
  readonly balloon?: string;
  readonly more?: string;
  readonly devices?: string;
};
const dimm = (slot: number): string =>
  `<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target><alias name='ua-dimmer-${slot}'/><address type='dimm' slot='${slot}' base='0x1${slot}0000000'/></memory>`;
const balloonOn = "<memballoon model='virtio'><stats period='2'/></memballoon>";

function factsOf(shape: Shape = {}, more: Partial<DomainFacts> = {}): DomainFacts {
  const {
    maxMemory = "<maxMemory slots='2' unit='GiB'>8</maxMemory>",
    cell = "<cpu><numa><cell id='0' memory='512' unit='MiB'/></numa></cpu>",
    features = '<features><acpi/></features>',
    balloon = balloonOn,
  } = shape;
  const memory = readDomainMemory(
    `<domain type='kvm' id='1'><name>db-1</name><uuid>${uuid}</uuid>${maxMemory}<memory unit='MiB'>1024</memory>
     <os><type arch='x86_64' machine='q35'>hvm</type></os>${features}${cell}${shape.more ?? ''}
     <devices>${balloon}${shape.devices ?? ''}</devices></domain>`,
  );
  if (!memory.ok) throw new Error(`${memory.error.path} ${memory.error.problem}`);
  const run = new RunningDomain(uuid, 'boot/1/7', nowMs);
  return {
    memory: memory.value,
    state: 'Running',
    run,
    statistics: {
      ...noMemoryStats,
      available: mib(400),
      usable: mib(300),
      unused: mib(200),
      lastUpdateMs: nowMs - 1000,
      answersAtMs: null,
      madeAfterMs: 0,
      seenAtMs: 0,
      readAtMs: 0,
    },
    migrating: false,
    claim: null,
    marks: [],
    ownerNamespace: null,
    defaultHugePageSize: mib(2),
    ...more,
  } as DomainFacts;
}
const judge = (facts: DomainFacts, free = 0) =>
  judgeDomain(
    facts,
    {
      memory: { total: gib(8), available: gib(4), committed: zeroBytes },
      nodes: [{ id: 0, total: gib(8), available: gib(4), hugepages: [{ pageSize: mib(2), total: free, free }] }],
      hugepagePools: [],
    },
    nowMs,
  );
const said = (facts: DomainFacts, free = 0) =>
  judge(facts, free).findings.map(({ verdict, message }) => `${verdict}: ${message}`);

describe('dimmer agent check: a VM', () => {
  it('has nothing to say of a good one', () => {
    expect(judge(factsOf({ devices: dimm(0) }))).toEqual({
      ...{ uuid, name: 'db-1', state: 'Running', boot: mib(512), plugged: mib(128), max: gib(8) },
      slots: { total: 2, used: 1 },
      reach: { largest: gib(8), limitedBy: 'MaxMemory', step: mib(128), shrinks: 'AsAsked' },
      canGrow: true,
      reportsMemory: true,
      findings: [],
    });
  });

  it.each<[string, Shape, Partial<DomainFacts>, string]>([
    ['no maximum', { maxMemory: '' }, {}, 'problem: The domain has no <maxMemory slots="...">; shut the VM down'],
    ['no NUMA cell', { cell: '' }, {}, 'problem: The domain has no NUMA cell'],
    ['no ACPI', { features: '' }, {}, 'problem: The domain has no <acpi/>'],
    ['no free slot', { devices: dimm(0) + dimm(1) }, {}, 'warning: all 2 slots are in use'],
    [
      'at its maximum',
      { maxMemory: "<maxMemory slots='2' unit='MiB'>640</maxMemory>", devices: dimm(0) },
      {},
      'warning: it has its maximum of 640Mi already',
    ],
    [
      'a maximum that the guest could not boot',
      { maxMemory: "<maxMemory slots='2' unit='GiB'>64</maxMemory>" },
      {},
      'warning: it will get at most 8Gi of its maximum of 64Gi: 16 times its boot memory of 512Mi',
    ],
    [
      'Windows, by its metadata',
      {},
      { memory: { ...factsOf().memory, guestSystem: 'Windows' } },
      'ok: by its definition it runs Windows, which never gives a module back',
    ],
    ['no balloon', { balloon: "<memballoon model='none'/>" }, {}, 'warning: it has no memory balloon'],
    ['statistics off', { balloon: "<memballoon model='virtio'/>" }, {}, 'ok: its memory statistics are off; the agent'],
    [
      'no driver',
      {},
      { statistics: { ...noMemoryStats, answersAtMs: null, madeAfterMs: 0, seenAtMs: 0, readAtMs: 0 } },
      'warning: its guest does not report its memory',
    ],
    [
      'old statistics',
      {},
      {
        statistics: {
          ...noMemoryStats,
          answersAtMs: null,
          madeAfterMs: 0,
          seenAtMs: 0,
          readAtMs: 0,
          lastUpdateMs: nowMs - 11_000,
        },
      },
      'warning: its guest does',
    ],
    [
      'no huge pages',
      { more: '<memoryBacking><hugepages/></memoryBacking>' },
      {},
      'warning: it uses huge pages of 2Mi, of which 0 can be had: nothing can be plugged',
    ],
    [
      'a host without huge pages',
      { more: '<memoryBacking><hugepages/></memoryBacking>' },
      { defaultHugePageSize: null },
      'warning: it is to use huge pages, and the host has none',
    ],
    [
      'a claim',
      {},
      { claim: { clusterId: 'c-1', objectUid: 'o-1', namespace: 'tenants', generation: 3 } },
      'ok: it is claimed by VirtualMachineMemory o-1 in namespace tenants of cluster c-1, generation 3',
    ],
    [
      'a claim of the wrong namespace',
      {},
      {
        claim: { clusterId: 'c-1', objectUid: 'o-1', namespace: 'tenants', generation: 3 },
        ownerNamespace: 'gold',
      },
      'ok: it is reserved for namespace gold, which takes the claim over with its next change',
    ],
    ['a migration', {}, { migrating: true }, 'ok: it is migrating'],
  ])('tells of %s', (_what, shape, more, expected) => {
    const facts = factsOf(shape, more);
    expect(said(facts).join('\n')).toContain(expected);
    expect(judge(facts).canGrow).toBe(!expected.startsWith('problem'));
  });

  it('tells of memory that libvirt forgot, once it is certain', () => {
    const balloon = { ...noMemoryStats, balloon: mib(640) };
    const facts = factsOf();
    facts.run?.repair.sawBalloon(facts.memory, balloon, nowMs - 500);
    expect(said(facts)).toEqual([]);
    facts.run?.repair.forgetHidden();
    facts.run?.repair.sawBalloon(facts.memory, balloon, nowMs - 1_100);
    expect(said(facts).join()).toContain('problem: libvirtd was killed in the middle of a plug: QEMU has 128Mi');
    expect(judge(facts).canGrow).toBe(false);
  });

  it('takes huge pages for good when there are some, and asks a VM that is off for no statistics', () => {
    const facts = factsOf({ more: '<memoryBacking><hugepages/></memoryBacking>' });
    expect(said(facts, 64)).toEqual(['ok: it uses huge pages of 2Mi, of which 64 can be had']);
    const off = factsOf({}, { run: null, state: 'ShutOff', statistics: null });
    expect(said(off)).toEqual([]);
    expect(judge(off).reportsMemory).toBeNull();
  });
});

describe('dimmer agent check: libvirt', () => {
  const probe = (path: string, result: string, rights: SocketProbe['rights'] = null): SocketProbe => ({
    ...{ path, result, rights },
  });
  const missing = probe('/run/libvirt/virtqemud-sock', 'ENOENT');
  const socket = '/run/libvirt/libvirt-sock';

  it.each([
    [[missing, probe(socket, 'ENOENT')], `there is neither ${missing.path} nor ${socket}; install and start libvirt`],
    [[probe(socket, 'ENOENT')], `there is no ${socket}; install and start libvirt`],
    [[missing, probe(socket, 'ECONNREFUSED')], `nobody listens on ${socket}; start libvirt`],
    [
      [missing, probe(socket, 'EACCES', { group: 'libvirt', mode: 0o770 })],
      `user dimmer may not use ${socket} (group libvirt, mode 0770); make it a member of the group: usermod --append --groups libvirt dimmer`,
    ],
    [
      [missing, probe(socket, 'EACCES', { group: 'root', mode: 0o700 })],
      `user dimmer may not use ${socket} (group root, mode 0700); in /etc/libvirt/libvirtd.conf`,
    ],
    [
      [missing, probe(socket, 'EACCES', { group: 'root', mode: 0o600 })],
      'where systemd opens the socket, SocketGroup=libvirt and SocketMode=0660 in libvirtd.socket',
    ],
    [[probe('/secret/sock', 'EACCES')], 'user dimmer may not look into the directory of /secret/sock'],
    [[probe(socket, 'ETIMEDOUT')], `${socket} cannot be opened: ETIMEDOUT`],
  ])('says what to do: %#', (probes, expected) => {
    expect(describeUnopened(probes, 'dimmer')).toContain(expected);
  });

  it('judges the version', () => {
    expect(judgeVersions(9_000_000, 7_002_022, 'hv', socket)).toEqual({
      ...{ verdict: 'ok', subject: 'libvirt' },
      message: `libvirt 9.0.0 with hypervisor 7.2.22 on hv, through ${socket}`,
    });
    expect(judgeVersions(4_004_000, 2_012_000, 'hv', socket)).toMatchObject({ verdict: 'problem' });
  });
});

describe('dimmer agent check: report and command line', () => {
  it('reads like this', () => {
    const host = [
      { verdict: 'ok', subject: 'libvirt', message: 'libvirt 9.0.0' },
      { verdict: 'problem', subject: 'clients', message: '--allow-client is required' },
    ] as const;
    const domains = [
      judge(factsOf({ devices: dimm(0) })),
      judge(factsOf({ maxMemory: '', balloon: '' }, { run: null, state: 'ShutOff' })),
      unusableDomain(uuid, 'odd', 'its XML cannot be understood'),
    ];
    const report = toReport('1.0', host, domains);
    expect(report).toMatchObject({ problems: 3, warnings: 1 });
    expect(formatReport(report)).toBe(
      [
        'Host',
        '  ok       libvirt  libvirt 9.0.0',
        '  problem  clients  --allow-client is required',
        '',
        'VMs',
        '  NAME  STATE    BOOT   PLUGGED  MAX  SLOTS   CAN GROW         REPORTS MEMORY',
        '  db-1  Running  512Mi  128Mi    8Gi  1 of 2  to 8Gi by 128Mi  yes',
        '  db-1  ShutOff  512Mi  0        -    -       no               -',
        '  odd   Unknown  -      -        -    -       no               -',
        '',
        '  problem  db-1  The domain has no <maxMemory slots="...">; shut the VM down, add it and start the VM again',
        "  warning  db-1  it has no memory balloon, so nobody knows what the guest can spare and nothing is unplugged with guestSafety Required (the default): add <memballoon model='virtio'/> while it is shut down",
        '  problem  odd   its XML cannot be understood',
        '',
        '3 problems, 1 warning',
        '',
      ].join('\n'),
    );
  });

  it('takes the options of the agent, and misses none of them', () => {
    expect(readAgentArguments(['check', '--tls-cert-file=/nowhere', '-o', 'json'])).toMatchObject({
      kind: 'check',
      options: { allowClients: [], certFile: '/nowhere', output: 'json', allowDomains: '*' },
    });
    expect(readAgentArguments(['check', '-o', 'yaml'])).toMatchObject({ kind: 'bad-usage' });
    expect(readAgentArguments(['check', 'stray'])).toMatchObject({ kind: 'bad-usage' });
    expect(readAgentArguments(['--allow-client=urn:a', '-o', 'json'])).toMatchObject({ kind: 'bad-usage' });
    const { kind, ...read } = readAgentArguments(['--help']);
    expect([kind, read]).toEqual(['help', {}]);
  });
});
