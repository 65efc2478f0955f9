/** What the page is looked at with: machines in every state that a board or a list can show. `nowMs`: by which ages are counted back. */
import { machine, type ModuleDraft, type Raw } from './machines.ts';

const spread = (sizes: readonly string[], node = 0, from = 0): ModuleDraft[] =>
  sizes.map((size, index) => ({ slot: from + index, size, node }));

/** A machine with modules of many sizes, which can shrink to many. */
export const settled = (nowMs: number = Date.now()): Raw =>
  machine(
    {
      name: 'db-1',
      boot: ['2Gi'],
      modules: spread(['128Mi', '384Mi', '512Mi', '1Gi', '2Gi']),
      max: '16Gi',
      usable: '3Gi',
    },
    nowMs,
  );

/** Everything at once: two nodes, modules that leave, were refused and rest, slots of other devices. */
export const busy = (nowMs: number = Date.now()): Raw =>
  machine(
    {
      name: 'etl-worker-7',
      namespace: 'analytics',
      host: 'hv-2',
      boot: ['2Gi', '2Gi'],
      memory: '5Gi',
      max: '32Gi',
      slots: 24,
      usable: '1200Mi',
      reportedFor: 21,
      modules: [
        ...spread(['512Mi', '512Mi', '1Gi'], 0),
        { slot: 3, size: '1Gi', node: 1, state: 'Leaving', leavingFor: 195 },
        { slot: 4, size: '2Gi', node: 1, state: 'Refused', refusals: 3, refusedFor: 20, retryIn: 100 },
        { slot: 5, size: '256Mi', node: 1, refusals: 1, refusedFor: 4000 },
      ],
      resting: [6],
      usedByOthers: [22, 23],
      ready: [
        'False',
        'GuestRefused',
        'the guest refused ua-dimmer-4 (2Gi, slot 4) 3 times; no other set of modules makes 2Gi less',
      ],
      since: 210,
      lastResize: { from: '9984Mi', to: '5Gi', startTime: new Date(nowMs - 200_000).toISOString() },
    },
    nowMs,
  );

export const inUse = (nowMs: number = Date.now()): Raw =>
  machine(
    {
      name: 'cache-3',
      boot: ['1Gi'],
      memory: '2Gi',
      modules: spread(['1Gi', '1Gi', '1Gi']),
      usable: '900Mi',
      max: '8Gi',
      room: '2Gi',
      ready: [
        'False',
        'GuestMemoryInUse',
        'the guest uses what would go: 900Mi are usable, and 2Gi less leave too little',
      ],
      since: 610,
    },
    nowMs,
  );

export const stuck = (nowMs: number = Date.now()): Raw =>
  machine(
    {
      name: 'build-runner',
      namespace: 'ci',
      boot: ['4Gi'],
      memory: '3Gi',
      modules: spread(['2Gi', '2Gi']),
      ready: [
        'False',
        'BelowBootMemory',
        "3Gi is below the boot memory of 4Gi, which can't be unplugged: to go lower, shut the virtual machine down and lower the domain's boot memory",
      ],
      since: 86_000,
    },
    nowMs,
  );

/** As many slots as there can be. */
export const many = (nowMs: number = Date.now()): Raw =>
  machine(
    {
      name: 'hana-prod',
      namespace: 'sap',
      host: 'hv-3',
      boot: ['64Gi', '64Gi'],
      slots: 256,
      max: '1Ti',
      room: '300Gi',
      usable: '150Gi',
      modules: Array.from({ length: 180 }, (_, slot) => ({
        slot,
        size: ['128Mi', '256Mi', '512Mi', '1Gi', '2Gi', '4Gi'][slot % 6] ?? '1Gi',
        node: slot % 2,
      })),
    },
    nowMs,
  );

export const replaceable = (nowMs: number = Date.now()): Raw =>
  machine(
    {
      name: 'web-legacy',
      boot: ['2Gi'],
      modules: spread(['3Gi', '3Gi']),
      usable: '6Gi',
      spec: { shrinkPolicy: 'Replace' },
    },
    nowMs,
  );

const reasons = [
  ['True', 'Converged', 'the guest has 4Gi, as wanted'],
  ['True', 'Converged', 'the guest has 4Gi, as wanted'],
  ['True', 'Converged', 'the guest has 4Gi, as wanted'],
  ['True', 'Converged', 'the guest has 4Gi, as wanted'],
  ['True', 'ObserveOnly', 'no size is wanted'],
  ['False', 'Plugging', 'plug 512Mi to go from 4Gi to 4608Mi'],
  ['False', 'InsufficientHostMemory', '8Gi more is needed, but the host has only 2Gi left to give'],
  ['False', 'Paused', 'paused: 2Gi would go'],
  ['False', 'HostUnreachable', 'the agent of hv-4 does not answer'],
  ['True', 'Converged', 'the guest has 4Gi, as wanted'],
  ['False', 'ClaimedByOther', 'another cluster has claimed the VM'],
] as const;

/** A list as long as one gets. */
export const crowd = (count: number, nowMs: number = Date.now()): Raw[] =>
  Array.from({ length: count }, (_, index) =>
    machine(
      {
        name: `vm-${String(index).padStart(4, '0')}`,
        namespace: ['default', 'ci', 'analytics', 'sap', 'tenant-17'][index % 5] ?? 'default',
        host: `hv-${(index % 6) + 1}`,
        boot: ['1Gi'],
        modules: spread(['512Mi', '512Mi', '1Gi', '1Gi'].slice(0, 1 + (index % 4))),
        ready: reasons[index % reasons.length] ?? reasons[0],
        ...(reasons[index % reasons.length]?.[1] === 'InsufficientHostMemory'
          ? { memory: ['9728Mi', '10Gi', '11Gi', '12Gi'][index % 4] ?? '12Gi' }
          : {}),
        since: 60 * (index + 1),
      },
      nowMs,
    ),
  );

const host = (name: string, more: object, spec: object = {}): object => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'HypervisorHost',
  metadata: { name, uid: name, resourceVersion: '1', generation: 1 },
  spec: { address: `https://${name}:9443`, allowedNamespaces: { from: 'All' }, ...spec },
  status: more,
});
const answers = (status: string, message: string): object => ({
  conditions: [
    {
      type: 'Ready',
      status,
      reason: 'AgentAnswers',
      message,
      lastTransitionTime: '2026-11-30T06:00:00Z',
      observedGeneration: 1,
    },
  ],
});

export const hosts = (): object[] => [
  host(
    'hv-1',
    {
      ...answers('True', 'the agent answers'),
      memory: { total: '64Gi', available: '31Gi', committed: '28Gi' },
      virtualMachines: 7,
      namespaces: [
        { namespace: 'ci', committed: '15872Mi' },
        { namespace: 'default', committed: '8Gi' },
      ],
    },
    { memoryReserve: '4Gi', namespaceLimit: '16Gi' },
  ),
  host(
    'hv-2',
    {
      ...answers('True', 'the agent answers'),
      memory: { total: '128Gi', available: '9Gi', committed: '118Gi' },
      virtualMachines: 42,
    },
    { memoryReserve: '8Gi', memoryOvercommit: '1.2', cordoned: true },
  ),
  host('hv-4', answers('False', 'the agent does not answer: connection refused')),
];
