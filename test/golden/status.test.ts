/**
 * What an operator's commands show (status, plan, why, events, hosts), at 80 and at 200 columns. After a change on purpose, `npx vitest run test/golden --update`, and
 * look at it in a terminal.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeHypervisorHost, decodeVirtualMachineMemory } from '../../src/api/v1alpha1/decode.ts';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { HypervisorHost } from '../../src/api/v1alpha1/hypervisor-host.ts';
import { parseQuantity } from '../../src/memory/quantity.ts';
import { planLive } from '../../src/preview/live-plan.ts';
import type { StatusWish } from '../../src/preview/from-status.ts';
import { age, type Look } from '../../src/view/layout.ts';
import { describeEvents, type ShownEvent } from '../../src/view/events.ts';
import { describeHosts } from '../../src/view/host-table.ts';
import { describePlan } from '../../src/view/plan-text.ts';
import { tableOfResources } from '../../src/view/resource-table.ts';
import { describeResource } from '../../src/view/status-text.ts';
import { explainResource } from '../../src/view/why-text.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');
const ago = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString();
const gi = (slot: number, size: string, more: object = {}) => ({
  ...{ slot, alias: `ua-dimmer-${slot}`, node: 0, size, base: '0x100000000', state: 'Plugged' },
  ...more,
});

function resource(name: string, memory: string | undefined, status?: object): VirtualMachineMemory {
  const read = decodeVirtualMachineMemory({
    metadata: { name, namespace: 'default', uid: name, resourceVersion: '1', generation: 3 },
    spec: { virtualMachine: { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11' }, memory },
    status,
  });
  if (!read.ok) throw new Error(read.error);
  return read.value;
}
const ready = (status: string, reason: string, message: string) => ({
  observedGeneration: 3,
  conditions: [
    { type: 'Ready', status, reason, message, lastTransitionTime: '2026-11-30T11:00:00Z', observedGeneration: 3 },
  ],
});
const machine = { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11', state: 'Running' };

const settled = resource('db-1', '4Gi', {
  ...ready('True', 'Converged', 'the guest has 4Gi, as wanted'),
  hostName: 'localhost',
  virtualMachine: { ...machine, name: 'db-1' },
  memory: { boot: '1Gi', plugged: '3Gi', current: '4Gi', target: '4Gi', guestTotal: '4012Mi', max: '64Gi' },
  slots: { total: 16, used: 4 },
  modules: [gi(0, '128Mi'), gi(1, '384Mi'), gi(2, '512Mi'), gi(3, '2Gi')],
  reachable: { below: '3968Mi', above: '4224Mi', ranges: [{ from: '1Gi', to: '4Gi', step: '128Mi' }], complete: true },
  lastResize: { from: '1Gi', to: '4Gi', startTime: ago(94), completionTime: ago(93) },
});
const refused = resource('a-name-that-goes-on-and-on-for-longer-than-any-screen-is-wide-and-then-some-more', '2Gi', {
  ...ready(
    'False',
    'GuestRefused',
    `the guest refused ua-dimmer-1 (1Gi, slot 1, may be tried again at ${ago(-100)}) 3 times, and no other set of modules makes 1Gi less`,
  ),
  hostName: 'localhost',
  virtualMachine: { ...machine, name: 'tenant-17' },
  memory: { boot: '1Gi', plugged: '2Gi', current: '3Gi', target: '2Gi', guestTotal: '2987Mi', max: '8Gi' },
  slots: { total: 8, used: 4 },
  modules: [
    gi(0, '512Mi', { state: 'Leaving', leavingSince: ago(195) }),
    gi(1, '1Gi', { node: 1, state: 'Refused', refusals: 3, refusedAt: ago(20), retryAfter: ago(-100) }),
    gi(4, '256Mi', { refusals: 1, refusedAt: ago(4000) }),
  ],
  planning: {
    observedAt: ago(1),
    boot: [{ node: 0, size: '1Gi' }],
    block: '128Mi',
    slots: { usedByOthers: [7], resting: [6, 5] },
    otherBytes: '0',
    booting: false,
    cordoned: false,
    backings: [],
  },
  plan: {
    decision: 'Unplug',
    steps: [{ operation: 'Unplug', size: '1Gi', node: 1, slot: 1 }],
    message: 'unplug 1Gi (slot 1)',
  },
  reachable: { ranges: [{ from: '3Gi', to: '3Gi', step: '128Mi' }], complete: false },
  lastResize: { from: '3Gi', to: '2Gi', startTime: ago(200) },
});
const unseen = resource('new', undefined);
const events: readonly ShownEvent[] = [
  { type: 'Normal', reason: 'Converged', message: 'resized from 1Gi to 3Gi', count: 1, lastSeen: ago(90_000) },
  {
    type: 'Warning',
    reason: 'GuestRefused',
    message: `the guest refused ua-dimmer-1 (1Gi, slot 1, may be tried again at ${ago(-100)}) 3 times`,
    count: 3,
    lastSeen: ago(20),
  },
];

const narrow: Look = { width: 80, colour: false };
const wide: Look = { width: 200, colour: false };
const backing = { nodes: [0], preallocated: false, room: { host: '60Gi' } };
const planning = (usable: string, secondsAgo = 3) => ({
  observedAt: ago(secondsAgo),
  boot: [{ node: 0, size: '1Gi' }],
  block: '128Mi',
  slots: { usedByOthers: [], resting: [] },
  otherBytes: '0',
  booting: false,
  cordoned: false,
  guest: { usable, total: '4012Mi', reportedAt: ago(secondsAgo + 1), report: 'Fresh' },
  backings: [backing],
});
const withPlanning = (usable: string, secondsAgo?: number): VirtualMachineMemory => ({
  ...settled,
  status: { ...settled.status, planning: planning(usable, secondsAgo) } as NonNullable<VirtualMachineMemory['status']>,
});
function planned(of: VirtualMachineMemory, memory: string, look: Look, more: StatusWish = {}): string {
  const size = parseQuantity(memory);
  const live = size.ok ? planLive(of, { memory: size.value, ...more }) : size;
  if (!live.ok) throw new Error(live.error);
  return describePlan(of, live.value, look, nowMs);
}
function host(name: string, more: object, spec: object = {}): HypervisorHost {
  const read = decodeHypervisorHost({
    metadata: { name, uid: name, resourceVersion: '1', generation: 1 },
    spec: { address: `https://${name}:9443`, allowedNamespaces: { from: 'All' }, ...spec },
    status: more,
  });
  if (!read.ok) throw new Error(read.error);
  return read.value;
}
const hosts = [
  host(
    'hv-07.rack-3.example.com',
    {
      ...ready('True', 'Reachable', 'the agent answers'),
      memory: { total: '131881812Ki', available: '9Gi', committed: '118Gi' },
      virtualMachines: 42,
      agentVersion: '0.1.0',
    },
    { memoryReserve: '8Gi', memoryOvercommit: '1.5', cordoned: true },
  ),
  host('new', {}, { memoryReserve: '256Mi' }),
];
const limited = [
  host(
    'hv-08.rack-3.example.com',
    {
      ...ready('True', 'AgentAnswers', 'the agent answers'),
      memory: { total: '128Gi', available: '20Gi', committed: '100Gi' },
      virtualMachines: 61,
      namespaces: [
        { namespace: 'bank', committed: '64Gi' },
        { namespace: 'shop', committed: '31744Mi' },
        ...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((letter) => ({
          namespace: `small-${letter}`,
          committed: '512Mi',
        })),
      ],
    },
    { namespaceLimit: '64Gi' },
  ),
  host(
    'hv-09',
    { ...ready('True', 'AgentAnswers', 'the agent answers'), namespaces: [{ namespace: 'bank', committed: '4Gi' }] },
    { namespaceLimit: 0 },
  ),
  host('hv-10', ready('True', 'AgentAnswers', 'the agent answers'), { namespaceLimit: '8Gi' }),
];
const crowded = resource('tenant-17', '64Gi', {
  ...ready('False', 'InsufficientHostMemory', 'the host has 1Gi to give, and 32Gi are needed'),
  hostName: 'hv-07.rack-3.example.com',
  memory: { boot: '4Gi', plugged: '28Gi', current: '32Gi' },
});
const silent = resource('quiet', '1Gi', {
  ...ready('False', 'UnplugUnknown', 'the guest has not answered for 40 s'),
  memory: { boot: '1Gi', plugged: '1Gi', current: '2Gi' },
  modules: [gi(0, '1Gi', { state: 'Leaving', leavingSince: ago(40) })],
  lastResize: { from: '2Gi', to: '1Gi', startTime: ago(41) },
});
const condition = (type: string, status: string, reason: string, message: string) => ({
  ...{ type, status, reason, message, lastTransitionTime: '2026-11-30T11:00:00Z', observedGeneration: 3 },
});
const small = resource('small', '64Gi', {
  observedGeneration: 3,
  conditions: [
    condition('Ready', 'False', 'ExceedsMaxMemory', '64Gi is more than the maximum of 8Gi'),
    condition('HotplugReady', 'False', 'GuestLeavesMemoryOffline', 'the guest left 512Mi offline'),
    condition('RestartRequired', 'True', 'MaxMemory', 'a maxMemory of at least 64Gi'),
  ],
  memory: { boot: '1Gi', plugged: '1Gi', current: '2Gi' },
});
const lasting = (conditions: readonly ReturnType<typeof condition>[], atNextBoot: string) =>
  resource('lasting', '2Gi', {
    observedGeneration: 3,
    conditions: [condition('Ready', 'True', 'Converged', 'the guest has 2Gi'), ...conditions],
    memory: { boot: '1Gi', plugged: '1Gi', current: '2Gi', atNextBoot },
  });
const notWritten = 'the stored definition could not be written: libvirt: No space left on device (error 38)';
const stuck = resource('between', '1408Mi', {
  ...ready('False', 'UnreachableSize', 'no set of modules makes 1408Mi'),
  memory: { boot: '1Gi', plugged: '1Gi', current: '2Gi' },
  reachable: { below: '1Gi', above: '2Gi', ranges: [{ from: '1Gi', to: '2Gi', step: '1Gi' }], complete: true },
});

const shown = (look: Look): string =>
  [
    describeResource(withPlanning('3100Mi'), [], look, nowMs),
    describeResource(refused, events, look, nowMs),
    describeResource(unseen, [], look, nowMs),
    describeResource(small, [], look, nowMs),
    explainResource(
      lasting([condition('Persisted', 'False', 'DefinitionNotWritten', notWritten)], '1Gi'),
      [],
      look,
      nowMs,
    ),
    describeResource(lasting([condition('Persisted', 'True', 'AsExpected', '')], '2Gi'), [], look, nowMs),
    describeResource(
      lasting([condition('Persisted', 'False', 'DefinitionNotWritten', notWritten)], '1Gi'),
      [],
      look,
      nowMs,
    ),
    tableOfResources([settled, refused, unseen], look, false),
    tableOfResources([settled, refused, unseen], look, true),
    planned(withPlanning('3100Mi'), '1536Mi', look),
    planned(withPlanning('3100Mi', 720), '1536Mi', look),
    planned(withPlanning('900Mi'), '1536Mi', look),
    planned(withPlanning('3100Mi'), '8Gi', look),
    planned(withPlanning('3100Mi'), '4000Mi', look),
    planned(withPlanning('3100Mi'), '4Gi', look),
    ...[settled, refused, unseen, silent, stuck, small].map((each) => explainResource(each, [], look, nowMs)),
    describeEvents(events, look, nowMs, false),
    describeEvents(events, look, nowMs, true),
    describeHosts(hosts, [settled, crowded], look, nowMs, false),
    describeHosts(hosts, null, look, nowMs, true),
    describeHosts(limited, [], look, nowMs, false),
    describeHosts(limited, [], look, nowMs, true),
  ].join(`${'-'.repeat(8)}\n`);

test.each([
  ['80-columns', narrow],
  ['200-columns', wide],
  ['colours', { ...narrow, colour: true }],
])('%s', async (name, look) => {
  await expect(shown(look)).toMatchFileSnapshot(join(import.meta.dirname, `status/${name}.txt`));
});

// eslint-disable-next-line no-control-regex
const plain = (painted: string): string => painted.replaceAll(/\u001b\[\d+m/g, '');

test('all that is not asked to be wide fits the terminal, and colours add nothing to that', () => {
  for (const width of [72, 80, 120, 200]) {
    const look = { width, colour: false };
    const text = [
      describeResource(refused, events, look, nowMs),
      tableOfResources([settled, refused], look, false),
    ].join('');
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(width);
    const painted = describeResource(refused, events, { ...look, colour: true }, nowMs);
    expect(plain(painted)).toBe(describeResource(refused, events, look, nowMs));
    for (const isWide of [false, true]) {
      const tables = ({ colour }: { readonly colour: boolean }): string =>
        tableOfResources([settled, refused, unseen], { width, colour }, isWide) +
        describeHosts(hosts, [settled, crowded], { width, colour }, nowMs, isWide);
      expect(plain(tables({ colour: true }))).toBe(tables({ colour: false }));
    }
  }
});

test('ages', () => {
  expect([0, 59, 60, 61, 3600, 3660, 86_400, 90_000, 864_000, -5].map((seconds) => age(seconds * 1000))).toEqual([
    ...['0s', '59s', '1m', '1m1s', '1h', '1h1m', '1d', '1d1h', '10d', '0s'],
  ]);
});
