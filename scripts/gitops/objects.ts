/** Objects as the API server gives them, one for each reason and for what comes before any: what GitOps tools judge. */
import { type HostReason, type Reason, reasonTable } from '../../src/api/v1alpha1/reasons.ts';
import { computeConditions } from '../../src/api/v1alpha1/conditions.ts';
import { computeStatus } from '../../src/controllers/memory/status.ts';
import { computeHostConditions } from '../../src/controllers/host/verdict.ts';
import { runbooks } from '../../src/view/runbooks/all.ts';

export type Example = {
  /** Of a file. */
  readonly name: string;
  readonly object: object;
  /** null: nothing is said of this generation yet. */
  readonly reason: Reason | Extract<HostReason, 'AgentAnswers'> | null;
};

const nowMs = Date.UTC(2026, 0, 1);
const generation = 2;
const reasons = Object.keys(reasonTable) as readonly Reason[];
/** What the message of a real object has figures in. */
const messageOf = (reason: keyof typeof runbooks): string => runbooks[reason].meaning;
const metadata = { name: 'db-1', creationTimestamp: '2026-01-01T00:00:00Z', generation };

const memoryWith = (status: object): object => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemory',
  metadata: { ...metadata, namespace: 'tenants' },
  spec: { virtualMachine: { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11' }, hostRef: { name: 'hv-07' }, memory: '4Gi' },
  status,
});
const hostWith = (status: object): object => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'HypervisorHost',
  metadata: { ...metadata, name: 'hv-07' },
  spec: { address: 'https://hv-07.example.net:9443', allowedNamespaces: { from: 'All' } },
  status,
});

function memoryStatusOf(reason: Reason): object {
  const message = messageOf(reason);
  return computeStatus({
    ...{ previous: {}, generation, nowMs, judgement: null, target: null, lastResize: undefined },
    ...{ verdict: { reason, message, againInMs: null }, problem: { reason, message, retry: false } },
    ...{ desired: null, mode: { kind: 'act' }, notStored: null, notOnlined: undefined },
    ...{ pausedBy: reason === 'Paused' ? 'spec.paused' : null, handled: {}, drift: undefined, release: undefined },
  });
}

const hostStatusOf = (reason: Reason | 'AgentAnswers'): object => ({
  observedGeneration: generation,
  conditions: computeConditions([], computeHostConditions({ reason, message: messageOf(reason) }), {
    generation,
    nowMs,
  }),
});

/** Those that a HypervisorHost may have. */
const hostReasons = [
  ...['AgentAnswers', 'HostUnreachable', 'HostBusy', 'HostUnauthorized', 'UnsupportedAgent', 'InvalidSpec'],
  ...['ShardConflict', 'NoShard', 'HypervisorFailed'],
] as readonly (Reason | 'AgentAnswers')[];

const unseen = (withStatus: (status: object) => object, seen: object): readonly Example[] => [
  { name: 'unseen', object: withStatus({ observedGeneration: -1 }), reason: null },
  { name: 'earlier-generation', object: withStatus({ ...seen, observedGeneration: generation - 1 }), reason: null },
];

/** By kind. */
export const examples: Readonly<Record<'VirtualMachineMemory' | 'HypervisorHost', readonly Example[]>> = {
  VirtualMachineMemory: [
    ...unseen(memoryWith, memoryStatusOf('Converged')),
    ...reasons.map((reason) => ({ name: reason.toLowerCase(), object: memoryWith(memoryStatusOf(reason)), reason })),
  ],
  HypervisorHost: [
    ...unseen(hostWith, hostStatusOf('AgentAnswers')),
    ...hostReasons.map((reason) => ({ name: reason.toLowerCase(), object: hostWith(hostStatusOf(reason)), reason })),
  ],
};
