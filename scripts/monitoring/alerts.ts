/**
 * The alerts, of which deploy/monitoring/ and docs/alerts.md are made (`npm run docs`). Those about VMs and hosts go by the
 * table of reasons: a reason that is added there rings here. All name our own metrics only, so that no job must have a
 * certain name; sums and maxima leave out which replica said it, so that a new leader rings nothing.
 */
import { type Reason, reasonTable } from '../../src/api/v1alpha1/reasons.ts';
import type { Alert } from './alert.ts';
import { programAlerts } from './program-alerts.ts';

type Row = (typeof reasonTable)[Reason];

const reasonsThat = (holds: (row: Row) => boolean, ...except: readonly Reason[]): string =>
  (Object.keys(reasonTable) as readonly Reason[])
    .filter((reason) => holds(reasonTable[reason]) && !except.includes(reason))
    .join('|');

/** Resources that have been not Ready for more than so many seconds, by reason. */
const unready = (reasons: string, seconds: number): string =>
  `max by (reason) (dimmer_longest_unready_seconds{reason=~"${reasons}"}) > ${seconds}`;

const waits = 'a VM has not had its memory for {{ $value | humanizeDuration }}';

const memoryAlerts: readonly Alert[] = [
  {
    name: 'DimmerMemoryNeedsSomebody',
    expr: unready(
      reasonsThat(({ stalled }) => stalled),
      300,
    ),
    for: '1m',
    severity: 'warning',
    summary: `${waits}, and somebody must decide: {{ $labels.reason }}`,
    runbook: 'by-reason',
  },
  {
    name: 'DimmerMemoryHeldUp',
    expr: unready(
      reasonsThat(({ reconciling, warning }) => reconciling && warning),
      1800,
    ),
    for: '1m',
    severity: 'warning',
    summary: `${waits}; it is tried again, but something outside holds it up: {{ $labels.reason }}`,
    runbook: 'by-reason',
  },
  {
    // A release may take a day (releaseTimeout), and ends by itself.
    name: 'DimmerMemoryUnderWayForLong',
    expr: unready(
      reasonsThat(({ reconciling, warning }) => reconciling && !warning, 'Releasing'),
      3600,
    ),
    for: '1m',
    severity: 'info',
    summary: `${waits}, and is still on its way: {{ $labels.reason }}`,
    runbook: 'by-reason',
  },
  {
    name: 'DimmerMemoryUnseen',
    expr: 'max(dimmer_longest_unready_seconds{reason=""}) > 300',
    for: '1m',
    severity: 'critical',
    summary: 'no controller has looked at a resource for {{ $value | humanizeDuration }}',
    runbook: {
      meaning: 'A resource has no `Ready` condition yet, minutes after somebody made it.',
      impact: 'Its VM keeps the memory that it has; what its owner asked for is not even judged.',
      diagnosis: [
        '`kubectl get vmmem -A` shows the resources without a word under `Reason`.',
        "The controller's log has the reconciles of the resource, by its namespace and name: a status that can't be written is named there.",
        'Where [shards](operations.md#shards) share the hosts: whether one is there for the host of the resource.',
      ],
      remedy: [
        'Give the controller its rights back (`kubectl apply -k deploy/`), or end what keeps the API server from taking its writes.',
        'Start a controller, or a shard, that is there for it.',
      ],
    },
  },
];

const hostAlerts: readonly Alert[] = [
  {
    name: 'DimmerHostNotReady',
    expr: 'max by (host, reason) (dimmer_host_reason{reason!="AgentAnswers"}) == 1',
    for: '5m',
    severity: 'warning',
    summary: 'host {{ $labels.host }} is not ready: {{ $labels.reason }}',
    runbook: 'by-reason',
  },
  {
    name: 'DimmerHostNearlyFull',
    expr: 'max by (host) (dimmer_host_memory_committed_bytes / dimmer_host_memory_limit_bytes) > 0.95',
    for: '30m',
    severity: 'warning',
    summary: '{{ $value | humanizePercentage }} of what host {{ $labels.host }} may promise to VMs is promised',
    runbook: {
      meaning:
        'The memory promised to running VMs is near `(total - memoryReserve) x memoryOvercommit` of the HypervisorHost.',
      impact: 'VMs on this host soon get no more memory (`InsufficientHostMemory`). What they have they keep.',
      diagnosis: [
        '`kubectl get hvh -o wide`: total, available and committed memory of each host.',
        '`kubectl dimmer hosts` shows the room that is left, and who has it.',
      ],
      remedy: [
        'Shrink or migrate VMs of this host.',
        'Raise `spec.memoryOvercommit`, or lower `spec.memoryReserve`, of the HypervisorHost, if the host can bear it.',
      ],
    },
  },
  {
    // A limit of nothing is meant to be full.
    name: 'DimmerNamespaceNearItsLimit',
    expr: 'max by (host) (dimmer_host_namespace_largest_bytes / (dimmer_host_namespace_limit_bytes > 0)) > 0.95',
    for: '30m',
    severity: 'info',
    summary: 'a namespace has {{ $value | humanizePercentage }} of what one may have of host {{ $labels.host }}',
    runbook: {
      meaning: "The running VMs of a namespace have nearly all that the HypervisorHost's `namespaceLimit` gives one.",
      impact: 'VMs of that namespace soon get no more memory there (`NamespaceLimitReached`). Others are not affected.',
      diagnosis: ['`kubectl dimmer hosts -o wide` names the namespaces, the fullest first, and what they have.'],
      remedy: [
        'Have its owner shrink VMs, or migrate some of them to another host.',
        'Raise `spec.namespaceLimit` of the HypervisorHost; it takes effect at once.',
      ],
    },
  },
  {
    name: 'DimmerHostCordonedForLong',
    expr: 'max by (host) (dimmer_host_cordoned) == 1',
    for: '1d',
    severity: 'info',
    summary: 'host {{ $labels.host }} has been cordoned for more than a day',
    runbook: {
      meaning: 'Nothing has been plugged on this host for a day, because its HypervisorHost says `cordoned: true`.',
      impact: 'VMs on it that are to grow wait (`HostCordoned`).',
      diagnosis: ['`kubectl describe hvh NAME` has the event of the cordon: when, and by whose change.'],
      remedy: [
        '`kubectl patch hvh NAME --type=merge -p \'{"spec":{"cordoned":false}}\'` when its maintenance is over.',
      ],
    },
  },
];

export type AlertGroup = { readonly name: string; readonly alerts: readonly Alert[] };

/** In the order of the documents. */
export const alertGroups: readonly AlertGroup[] = [
  { name: 'dimmer-memory', alerts: memoryAlerts },
  { name: 'dimmer-hosts', alerts: hostAlerts },
  { name: 'dimmer-programs', alerts: programAlerts },
];
