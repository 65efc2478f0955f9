/** What `dimmer adopt` writes of VMs as they are, and that applying it changes nothing. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FoundMachine, judgeAdoption } from '../../../src/adopt/judge.ts';
import { writeManifest } from '../../../src/adopt/manifest.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { type Bytes, bytes, GiB, gib, KiB, mib, TiB } from '../../../src/memory/bytes.ts';
import { loadSpecSchemas } from '../../../src/standalone/crds.ts';
import { readManifests } from '../../../src/standalone/manifest.ts';
import { waitFor } from '../../lab/wait.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { StandaloneBench, vmUuid as uuid } from '../../support/standalone-bench.ts';

const target = { name: 'db-1', namespace: null, hostRef: null };
const atMs = Date.parse('2026-01-02T03:04:05.678Z');
const schemas = loadSpecSchemas();

async function find(spec: Partial<SimulatedDomainSpec>, more: Partial<FoundMachine> = {}): Promise<FoundMachine> {
  const host = createSimulatedHost({ clock: new ManualClock(), domains: [{ uuid, name: 'db', ...spec }] });
  const observed = await host.observe(uuid);
  if (!observed.ok) throw new Error(observed.error.message);
  return { observation: observed.value, transient: false, ...more };
}

function manifestOf(machine: FoundMachine, includeClaimed = false): string {
  const adoption = judgeAdoption(machine, includeClaimed);
  if (adoption.kind === 'left') throw new Error(adoption.why);
  return writeManifest(adoption, target, { machine: machine.observation, source: 'qemu:///system', atMs });
}

const warningsOf = (machine: FoundMachine): readonly string[] => {
  const adoption = judgeAdoption(machine, true);
  return adoption.kind === 'left'
    ? [adoption.why]
    : adoption.remarks.flatMap(({ kind, text }) => (kind === 'warning' ? text : []));
};

test('a manifest says how the VM is, and nothing that is not needed', async () => {
  const modules = [
    { size: mib(512), alias: 'ua-dimmer-0' },
    { size: gib(1), alias: 'dimm5' },
  ];
  expect(manifestOf(await find({ modules })))
    .toBe(`# VM db as 'dimmer adopt' found it at 2026-01-02T03:04:05Z (qemu:///system):
# 1Gi since its start and 2 modules (512Mi, 1Gi); at most 64Gi, in 16 slots.
# Note: not plugged by Dimmer: 1Gi in slot 1; a shrink may take it, deletionPolicy Release leaves it
#   where it is.
apiVersion: dimmer.dev/v1alpha1
kind: VirtualMachineMemory
metadata:
  name: db-1
spec:
  virtualMachine:
    uuid: ${uuid}
  memory: 2560Mi
`);
});

test.each<[string, Partial<SimulatedDomainSpec>, Partial<FoundMachine>, RegExp]>([
  ['no <maxMemory>', { maxMemory: null }, {}, /can't be given more memory: The domain has no <maxMemory/],
  ['a machine without DIMMs', { hotplugProblem: 'Machine x takes none' }, {}, /more memory: Machine x takes none/],
  ['no balloon', { reports: false, balloonDevice: 'None' }, {}, /has no memory balloon, .* guestSafety Required/],
  [
    'a silent guest',
    { reports: false },
    {},
    /does not report its memory: .*virtio_balloon; with modules .* GuestMemoryUnknown/,
  ],
  ['no slot', { slots: 1, slotsUsedByOthers: [0] }, {}, /^its only slot is in use/],
  ['a transient domain', {}, { transient: true }, /is transient: once it is shut off it is gone/],
  [
    'odd modules',
    { modules: [{ size: mib(100) }] },
    {},
    /not whole blocks of the guest's memory \(128Mi\): 100Mi in slot 0/,
  ],
  ['a VM that is off', { state: 'ShutOff' }, {}, /^it is ShutOff: its memory is known only while it runs/],
  ['too little memory', { boot: mib(32) }, {}, /has 32Mi, and spec.memory goes from 64Mi to 64Ti: .* observed only/],
  ['no whole MiB', { boot: (GiB + 4 * KiB) as Bytes }, {}, /has 1048580Ki, and spec.memory is a whole number of MiB/],
])('%s is told', async (_, spec, more, pattern) => {
  expect(warningsOf(await find(spec, more))).toEqual([expect.stringMatching(pattern)]);
});

test('statistics that are off are nothing to warn of: whoever serves the VM switches them on', async () => {
  expect(warningsOf(await find({ reports: false, balloonDevice: 'StatisticsOff' }))).toEqual([]);
});

test('that Windows gives nothing back is a note', async () => {
  expect(manifestOf(await find({ guestSystem: 'Windows' }))).toMatch(/^# Note: by its definition it runs Windows/m);
});

test('what a VM that somebody has is left to, unless it is asked for', async () => {
  const machine = await find({});
  const claim = { clusterId: 'c', objectUid: 'u', namespace: 'tenants', generation: 1 };
  const claimed = { ...machine, observation: { ...machine.observation, claim } };
  expect(judgeAdoption(claimed, false)).toMatchObject({
    kind: 'left',
    why: expect.stringContaining('VirtualMachineMemory u') as string,
  });
  expect(judgeAdoption(claimed, true)).toMatchObject({ kind: 'manifest', remarks: [{ kind: 'warning' }] });
});

test('what is leaving is not wanted back, and a balloon that holds memory back is told', async () => {
  const machine = await find({ modules: [{ size: gib(1) }, { size: gib(2) }] });
  const { layout } = machine.observation;
  if (layout === null) throw new Error('no layout');
  const modules = layout.modules.map((module) =>
    module.slot === 1 ? { ...module, state: 'Leaving' as const } : module,
  );
  const observation = { ...machine.observation, layout: { ...layout, modules, balloon: gib(3) } };
  const adoption = judgeAdoption({ ...machine, observation }, false);
  expect(adoption).toMatchObject({ memory: '2Gi' });
  expect(warningsOf({ ...machine, observation })).toEqual([
    expect.stringContaining('asked to leave, and not wanted back: 2Gi in slot 1'),
    expect.stringContaining('its balloon holds 1Gi back'),
  ]);
});

test.each([
  ['1e3', '"1e3"'],
  ['0644', '"0644"'],
  ['on', '"on"'],
  ['null', '"null"'],
  ['web-1', 'web-1'],
  ['a.b', 'a.b'],
])('the name %s is written as %s, and read as itself', async (name, written) => {
  const machine = await find({ name: 'any\nthing: # [2J' });
  const adoption = judgeAdoption(machine, false);
  if (adoption.kind === 'left') throw new Error(adoption.why);
  const all = { name, namespace: name.includes('.') ? 'x' : name, hostRef: name };
  const text = writeManifest(adoption, all, { machine: machine.observation, source: 'https://hv-1:9443', atMs });
  expect(text).toContain(`\n  name: ${written}\n`);
  expect(text).toContain('# VM any thing: # [2J as ');
  const { manifests, problems } = readManifests('x.yaml', text, schemas);
  expect(problems).toEqual([]);
  expect(manifests).toMatchObject([{ metadata: { name }, spec: { hostRef: { name } } }]);
});

describe('applied at once, it changes nothing', () => {
  const odd: readonly (readonly [string, Partial<SimulatedDomainSpec>, string])[] = [
    ['as it started', {}, 'Converged'],
    [
      'with modules of many sizes',
      { modules: [mib(384), mib(128), mib(640)].map((size, index) => ({ size, alias: `dimm${index + 3}` })) },
      'Converged',
    ],
    ['with a module of no whole block', { modules: [{ size: mib(100) }] }, 'Converged'],
    ['without <maxMemory>', { maxMemory: null }, 'Converged'],
    [
      'between whole MiB, with a module',
      { boot: (GiB + 4 * KiB) as Bytes, modules: [{ size: mib(256) }] },
      'ConvergedNearest',
    ],
    ['between whole MiB', { boot: (GiB + 4 * KiB) as Bytes }, 'ObserveOnly'],
    ['at its maximum', { maxMemory: gib(1) }, 'Converged'],
    ['with memory of other devices', { otherBytes: gib(3), otherTotal: gib(1) }, 'Converged'],
    ['with all slots in use', { slots: 1, modules: [{ size: gib(4) }] }, 'Converged'],
    ['with more than boot memory bears', { boot: mib(128), modules: [{ size: gib(4) }] }, 'Converged'],
    ['on another machine', { architecture: 'ppc64le', modules: [{ size: mib(128) }] }, 'Converged'],
    ['of a guest without statistics', { reports: false, modules: [{ size: mib(128) }] }, 'GuestMemoryUnknown'],
  ];
  let bench: StandaloneBench;
  beforeEach(() => {
    bench = new StandaloneBench([]);
  });
  afterEach(() => bench.close());

  test.each(odd)('%s', async (_, spec, reason) => {
    bench.host.script.addDomain({ uuid, name: 'db', ...spec });
    const before = bench.total();
    const observed = await bench.host.observe(uuid);
    if (!observed.ok) throw new Error(observed.error.message);
    bench.rename('db-1.yaml', manifestOf({ observation: observed.value, transient: null }));
    await bench.start();
    await waitFor(() => bench.reason() === reason, {
      what: `it to say ${reason}`,
      timeoutMs: 20_000,
      details: () => JSON.stringify([bench.resource()?.status, bench.problems()]),
    });
    expect(bench.changes()).toEqual([]);
    expect(bench.total()).toBe(before);
    expect(bench.problems()).toEqual([]);
  });
});

test('more than a manifest can say is only observed', async () => {
  const machine = await find({ boot: bytes(65 * TiB), maxMemory: null });
  expect(manifestOf(machine)).not.toContain('\n  memory:');
});
