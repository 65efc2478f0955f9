/**
 * Every reason of the table on a real API server: each is brought about, said by Ready as the table has it, and told by
 * an event that kubectl shows. Simulated hosts, on a clock that goes ten times as fast: some reasons take a minute.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import { type Reason, reasonTable } from '../../../src/api/v1alpha1/reasons.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { hostError, type HostErrorCode } from '../../../src/host/errors.ts';
import type { Cluster } from '../../../src/kubernetes/cluster.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import type { SimulatedHost } from '../../../src/host/simulated/script.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { describeLab } from '../../lab/describe.ts';
import { waitFor } from '../../lab/wait.ts';
import { watchTools } from '../../lab/watch-tools.ts';
import { check, installed, STRANGERS } from '../../strangers/checkers.ts';
import { judgeByArgo } from '../../support/argo-health.ts';
import { computeKStatus } from '../../support/kstatus.ts';
import {
  connectAsController,
  type DimmerCluster,
  host,
  memory,
  namespace,
  startDimmerCluster,
  deployDirectory,
} from './support/dimmer-cluster.ts';
import { hastenedClock } from './support/hastened-clock.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

vi.setConfig({ testTimeout: 240_000 });

const ns = 'reasons';
type Script = SimulatedHost['script'];

/** How one reason comes about. Resource and VM have its name; unless it says otherwise a VM of 1Gi is to have 2Gi. */
type Case = {
  readonly reason: Reason;
  readonly vm?: Partial<SimulatedDomainSpec>;
  readonly spec?: object;
  /** Default hv-1. */
  readonly host?: string;
  /** Before the resource is there. */
  readonly before?: (script: Script, uuid: string) => unknown;
  /** Each once Ready says the reason, one after the other: what then leads on. A spec that is given is patched in. */
  readonly then?: readonly (readonly [Reason, (script: Script, uuid: string) => unknown])[];
};

const elderUuid = '00000000-0000-4002-8000-000000000001';
const busyUuid = '00000000-0000-4002-8000-000000000002';

const takeOut = (script: Script, uuid: string): void =>
  script.unplugByHand(uuid, script.domain(uuid).modules[0]?.slot ?? -1);

function replaceVm(script: Script, uuid: string): void {
  script.depart(uuid);
  script.addDomain({ uuid: uuid.replace('-4000-', '-4001-'), name: 'vmreplaced' });
  script.emit({ kind: 'reset' });
}

async function claimForAnother(uuid: string): Promise<void> {
  const host = controller.host('hv-1');
  const observed = await host.observe(uuid);
  if (!observed.ok) throw new Error(observed.error.message);
  await host.plug(uuid, observed.value.revision, {
    ...{ clusterId: 'another-cluster', objectUid: 'their-object', namespace: 'theirs', generation: 1 },
    ...{ slot: 0, size: gib(1), node: 0, hostReserve: gib(0), hostOvercommit: 1 },
  });
}

const plugged = { modules: [{ size: gib(1) }] };
const silent = { ...plugged, unplugBehaviour: 'silent' } as const;
const half = { memory: '1536Mi' };

const cases: readonly Case[] = [
  { reason: 'Converged' },
  { reason: 'ConvergedNearest', vm: plugged, spec: { ...half, shrinkPolicy: 'Nearest' } },
  { reason: 'ObserveOnly', spec: { memory: undefined } },
  // Told when a look has taken two minutes, with more to plug.
  { reason: 'Plugging', vm: { slots: 32 }, spec: { memory: '9Gi', growPolicy: 'Divisible' }, host: 'hv-slowest' },
  { reason: 'Unplugging', vm: silent, spec: { memory: '1Gi', unplugTimeout: '1h' } },
  { reason: 'Replacing', vm: plugged, spec: { ...half, shrinkPolicy: 'Replace' }, host: 'hv-replacing' },
  { reason: 'DriftCorrected', host: 'hv-slow', then: [['Converged', takeOut]] },
  { reason: 'DriftReported', spec: { driftPolicy: 'Report' }, then: [['Converged', takeOut]] },
  // The fourth time within an hour.
  {
    reason: 'DriftContested',
    host: 'hv-slow',
    then: [1, 2, 3, 4].flatMap((time) => [
      ...(time === 1 ? [] : [['DriftCorrected', () => undefined] as const]),
      ['Converged', takeOut] as const,
    ]),
  },
  {
    ...{ reason: 'Releasing', vm: { unplugBehaviour: 'silent' } },
    spec: { deletionPolicy: 'Release', releaseTimeout: '24h', unplugTimeout: '1h' },
    then: [['Converged', () => plane.kubectlOk(['delete', 'vmmem', 'releasing', '-n', ns, '--wait=false'])]],
  },
  { reason: 'WaitingForGuest', before: (script, uuid) => script.setOnlines(uuid, false) },
  { reason: 'GuestNotOnlined', before: (script, uuid) => script.setOnlines(uuid, false) },
  { reason: 'UnplugUnknown', vm: silent, spec: { memory: '1Gi', unplugTimeout: '1s' } },
  { reason: 'GuestRefused', vm: { ...plugged, unplugBehaviour: 'refuse' }, spec: { memory: '1Gi' } },
  { reason: 'GuestMemoryInUse', vm: { ...plugged, used: mib(1600) }, spec: { memory: '1Gi' } },
  { reason: 'GuestMemoryUnknown', vm: { ...plugged, reports: false }, spec: { memory: '1Gi' } },
  {
    ...{ reason: 'BalloonInflated', spec: { memory: '1Gi' } },
    before: (script, uuid) => script.setInflated(uuid, mib(256)),
  },
  { reason: 'HostUnreachable', host: 'hv-down' },
  { reason: 'HostBusy', host: 'hv-busy' },
  { reason: 'VMBusy', host: 'hv-jobs' },
  { reason: 'VMMigrating', before: (script, uuid) => script.setMigrating(uuid, true) },
  { reason: 'InsufficientHostMemory', host: 'hv-reserved' },
  { reason: 'NamespaceLimitReached', host: 'hv-limited' },
  { reason: 'HugepagesUnavailable', spec: { pageSize: '2Mi' } },
  { reason: 'HostCordoned', host: 'hv-cordoned' },
  { reason: 'HypervisorFailed', host: 'hv-failing' },
  { reason: 'HypervisorRejected', host: 'hv-rejecting' },
  { reason: 'UnsupportedAgent', host: 'hv-old' },
  { reason: 'HostUnauthorized', host: 'hv-untrusted' },
  { reason: 'VMNotRunning', before: (script, uuid) => script.shutDown(uuid) },
  { reason: 'Paused', spec: { paused: true } },
  { reason: 'UnreachableSize', vm: plugged, spec: half },
  { reason: 'Misaligned', spec: { memory: '1537Mi' } },
  { reason: 'BelowBootMemory', spec: { memory: '512Mi' } },
  { reason: 'ExceedsMaxMemory', vm: { boot: gib(8) }, spec: { memory: '65Gi' } },
  { reason: 'ExceedsHardLimit', vm: { hardLimit: gib(2) }, spec: { memory: '4Gi' } },
  { reason: 'SlotsExhausted', vm: { ...plugged, slots: 1 }, spec: { memory: '3Gi' } },
  { reason: 'BootMemoryTooSmall', spec: { memory: '17Gi' } },
  { reason: 'HotplugUnsupported', vm: { maxMemory: null } },
  // Which the schema would refuse; here it is of another version.
  { reason: 'InvalidSpec', spec: { unplugTimeout: 'soon' } },
  { reason: 'VMNotFoundOrNotAllowed', before: (script, uuid) => script.depart(uuid) },
  {
    ...{ reason: 'AmbiguousVM', spec: { hostRef: undefined } },
    before: (_, uuid) => controller.host('hv-2').script.addDomain({ uuid, name: 'ambiguousvm' }),
  },
  {
    ...{ reason: 'VMReplaced', spec: { virtualMachine: { name: 'vmreplaced' } } },
    then: [['Converged', replaceVm]],
  },
  { reason: 'ClaimedByOther', before: (_, uuid) => claimForAnother(uuid) },
  // An older resource has the VM.
  { reason: 'DuplicateClaim', spec: { virtualMachine: { uuid: elderUuid } } },
  { reason: 'HostUnknown', spec: { hostRef: { name: 'nowhere' } } },
  {
    ...{ reason: 'ReplaceRolledBack', vm: { ...plugged, pinnedSlots: [0] } },
    spec: { ...half, shrinkPolicy: 'Replace' },
  },
];

/** Of controllers that share the hosts: several of them, on a real API server, are in leader-election.test.ts. */
const elsewhere: readonly string[] = ['ShardConflict', 'NoShard'] satisfies readonly Reason[];

const nameOf = ({ reason }: Case): string => reason.toLowerCase();
const uuidOf = (one: Case): string => `00000000-0000-4000-8000-${String(cases.indexOf(one) + 1).padStart(12, '0')}`;
const hostOf = (one: Case): string => one.host ?? 'hv-1';

const hosts: Readonly<Record<string, object>> = {
  'hv-1': {},
  'hv-2': {},
  'hv-busy': { maxConcurrentOperations: 1 },
  'hv-reserved': { memoryReserve: '64Ti' },
  'hv-limited': { namespaceLimit: '1536Mi' },
  'hv-cordoned': { cordoned: true },
  ...Object.fromEntries(
    ['slow', 'slowest', 'replacing', 'down', 'jobs', 'failing', 'rejecting', 'old', 'untrusted'].map((name) => [
      `hv-${name}`,
      {},
    ]),
  ),
};

let plane: DimmerCluster;
let controller: LiveController;
let watching: Cluster;
/** What Ready has said, by resource: the reasons in the order in which they were seen, and the last message. */
const seen = new Map<string, { readonly reasons: Reason[]; message: string }>();

/** Ready, Reconciling and Stalled, by the reason of Ready. */
const states = new Map<Reason, string>();
/** The newest object that says a reason of Ready. */
const objects = new Map<Reason, VirtualMachineMemory>();
const statesOf = (reason: Reason): string => {
  const { ready, reconciling, stalled } = reasonTable[reason];
  return [ready, ...[reconciling, stalled].map((holds) => (holds ? 'True' : 'False'))].join(' ');
};

const schemaAt = '/spec/versions/0/schema/openAPIV3Schema/properties';
const changeSchema = (path: string, value: unknown) =>
  plane.kubectlOk([
    ...['patch', 'crd', 'virtualmachinememories.dimmer.dev', '--type=json', '-p'],
    JSON.stringify([{ op: 'replace', path: `${schemaAt}${path}`, value }]),
  ]);

const resourceOf = (one: Case): object =>
  memory(nameOf(one), ns, {
    ...{ virtualMachine: { uuid: uuidOf(one) }, hostRef: { name: hostOf(one) } },
    ...{ memory: '2Gi', growPolicy: 'Whole', ...one.spec },
  });

/** What a watch brings: each version, however short it lasts. */
function look(object: VirtualMachineMemory): void {
  const { metadata, status } = object;
  const conditions = ['Ready', 'Reconciling', 'Stalled'].map((type) => findCondition(status?.conditions, type));
  const [ready] = conditions;
  if (ready === undefined || status?.observedGeneration !== metadata.generation) return;
  const reason = ready.reason as Reason;
  const known = seen.get(metadata.name) ?? { reasons: [], message: '' };
  seen.set(metadata.name, known);
  known.message = ready.message;
  if (known.reasons.at(-1) !== reason) known.reasons.push(reason);
  objects.set(reason, object);
  states.set(reason, conditions.map((condition) => condition?.status).join(' '));
}

beforeAll(async () => {
  plane = await startDimmerCluster();
  await changeSchema('/spec/properties/unplugTimeout', { type: 'string' });
  const named = (name: string) =>
    cases
      .filter((one) => hostOf(one) === name)
      .map((one) => ({ uuid: uuidOf(one), name: nameOf(one), boot: gib(1), ...one.vm }));
  const domains = Object.fromEntries(Object.keys(hosts).map((name) => [name, named(name)]));
  domains['hv-1']?.push({ uuid: elderUuid, name: 'elder', boot: gib(1) });
  domains['hv-busy']?.push({ uuid: busyUuid, name: 'busy', boot: gib(1) });
  controller = await startLiveController(plane, { domains, clock: hastenedClock(10) });

  const scripts = (name: string): Script => controller.host(`hv-${name}`).script;
  const fail = (code: HostErrorCode) => ({ kind: 'fail', error: hostError(code, 'as the test has it') }) as const;
  scripts('down').setReachable(false);
  scripts('failing').setAttachProblem('Cannot allocate memory');
  scripts('jobs').inject('plug', fail('busy'), Infinity);
  scripts('rejecting').inject('plug', fail('rejected'), Infinity);
  scripts('old').inject('plug', fail('bad-request'), Infinity);
  for (const operation of ['facts', 'listDomains', 'observe'] as const) {
    scripts('untrusted').inject(operation, fail('tls-rejected'), Infinity);
  }
  // Long enough to be seen: what is brought back, and what ends a look.
  scripts('slow').inject('plug', { kind: 'answer-late', ms: 10_000 }, Infinity);
  scripts('slowest').inject('plug', { kind: 'answer-late', ms: 35_000 }, Infinity);
  scripts('replacing').inject('plug', { kind: 'answer-late', ms: 125_000 });
  scripts('busy').inject('plug', { kind: 'answer-late', ms: 300_000 });
  for (const one of cases) await one.before?.(controller.host(hostOf(one)).script, uuidOf(one));

  watching = connectAsController(plane);
  watching.virtualMachineMemories.onChange(({ current }) => {
    if (current !== undefined) look(current);
  });
  await watching.start();
  await plane.apply(
    namespace(ns),
    ...Object.entries(hosts).map(([name, spec]) => host(name, spec)),
    memory('elder', ns, { virtualMachine: { uuid: elderUuid }, hostRef: { name: 'hv-1' }, memory: '2Gi' }),
    memory('busy', ns, { virtualMachine: { uuid: busyUuid }, hostRef: { name: 'hv-busy' }, memory: '2Gi' }),
  );
  const appliedMs = Date.now();
  // Age is told in whole seconds. And the host is busy by then.
  await waitFor(() => Date.now() > appliedMs + 1_100 && scripts('busy').calls().plug === 1, {
    ...{ what: 'the older resources to be there', timeoutMs: 30_000, intervalMs: 50 },
    details: () => JSON.stringify(scripts('busy').calls()),
  });
});
afterAll(async () => {
  await watching.close();
  await controller.close();
  await plane.stop();
});

it('is reached, said by Ready as the table has it, and told by an event that kubectl shows', async () => {
  await plane.apply(...cases.map(resourceOf));
  const steps = new Map(cases.map((one) => [one, [...(one.then ?? [])]]));
  const missing = (): readonly Case[] =>
    cases.filter((one) => seen.get(nameOf(one))?.reasons.includes(one.reason) !== true);
  await waitFor(
    async () => {
      for (const [one, left] of steps) {
        const [next] = left;
        if (next === undefined || seen.get(nameOf(one))?.reasons.at(-1) !== next[0]) continue;
        left.shift();
        const spec = await next[1](controller.host(hostOf(one)).script, uuidOf(one));
        if (typeof spec === 'object' && spec !== null) {
          const patch = ['--type=merge', '-p', JSON.stringify({ spec })];
          await plane.kubectlOk(['patch', 'vmmem', nameOf(one), '-n', ns, ...patch]);
        }
      }
      return missing().length === 0;
    },
    {
      ...{ what: 'every reason to be said', timeoutMs: 60_000, intervalMs: 50 },
      details: () =>
        missing()
          .map(
            (one) =>
              `${one.reason}: ${seen.get(nameOf(one))?.reasons.join(', ') ?? 'nothing'}; ${seen.get(nameOf(one))?.message ?? ''}`,
          )
          .join('\n'),
    },
  );

  // One of a schema of another version: last, since no other status can be written either.
  await changeSchema('/status/properties/plan/properties/message/maxLength', 5);
  await plane.kubectlOk(['patch', 'vmmem', 'elder', '-n', ns, '--type=merge', '-p', '{"spec":{"memory":"3Gi"}}']);
  await waitFor(() => seen.get('elder')?.reasons.includes('StatusRefused') === true, {
    what: 'StatusRefused',
    timeoutMs: 30_000,
    intervalMs: 100,
    details: () => JSON.stringify(seen.get('elder')),
  });

  for (const [reason, said] of states) expect(said, reason).toBe(statesOf(reason));
  const reached = new Set<string>([...cases.map(({ reason }) => reason), 'StatusRefused', ...elsewhere]);
  expect([...reached].toSorted()).toEqual(Object.keys(reasonTable).toSorted());
  let events = '';
  const untold = (): readonly string[] =>
    Object.entries(reasonTable).flatMap(([reason, { warning }]) => {
      if (elsewhere.includes(reason)) return [];
      const name = reason === 'StatusRefused' ? 'elder' : reason.toLowerCase();
      const line = new RegExp(` ${warning ? 'Warning' : 'Normal'} +${reason} +virtualmachinememory/${name} `, 'i');
      return line.test(events) ? [] : [reason];
    });
  await waitFor(
    async () => {
      events = await plane.kubectlOk(['get', 'events', '-n', ns]);
      return untold().length === 0;
    },
    {
      what: 'kubectl to show an event of each',
      timeoutMs: 30_000,
      intervalMs: 500,
      details: () => untold().join(', '),
    },
  );
});

await describeLab(
  'kstatus itself, as Flux, kpt and Helm 4 have it,',
  () => {
    it('says of an object of every reason what the table says, and so does ours', async () => {
      const all = [...objects];
      expect(all.length).toBeGreaterThan(Object.keys(reasonTable).length - elsewhere.length - 1);
      const kind = { apiVersion: 'dimmer.dev/v1alpha1', kind: 'VirtualMachineMemory' };
      const input = JSON.stringify(all.map(([, object]) => ({ ...object, ...kind })));
      const { stdout, stderr } = await check(installed().kstatus, [], { input });
      expect(stderr).toBe('');
      const expected = all.map(([reason]) => {
        const { ready, reconciling, stalled } = reasonTable[reason];
        const word = stalled ? 'Failed' : reconciling || ready !== 'True' ? 'InProgress' : 'Current';
        // The only one of an object that is being deleted.
        return [reason, reason === 'Releasing' ? 'Terminating' : word];
      });
      const words = JSON.parse(stdout) as string[];
      expect(all.map(([reason], index) => [reason, words[index]])).toEqual(expected);
      expect(all.map(([reason, object]) => [reason, computeKStatus(object)])).toEqual(expected);
    });
  },
  STRANGERS,
);

await describeLab(
  "Argo CD's health check",
  () => {
    it('makes of each of these objects what the table of reasons says', async () => {
      const script = 'gitops/argocd/resource_customizations/dimmer.dev/VirtualMachineMemory/health.lua';
      const said = [...objects];
      const healths = await judgeByArgo(
        watchTools.find()?.lua ?? '',
        join(deployDirectory, script),
        said.map(([, object]) => object),
      );
      const expected = said.map(([reason, { status }]) => {
        const { ready, reconciling, stalled } = reasonTable[reason];
        const settled = ready === 'True' ? 'Healthy' : 'Suspended';
        return {
          status: reconciling ? 'Progressing' : stalled ? 'Degraded' : settled,
          message: `${reason}: ${findCondition(status?.conditions, 'Ready')?.message ?? ''}`,
        };
      });
      expect(healths).toEqual(expected);
      expect(said.length).toBe(Object.keys(reasonTable).length - elsewhere.length);
    });
  },
  ['watch-tools'],
);
