/**
 * What each alert is tried on: series as a `promtool test rules` file has them, at which it must ring, and such at which it
 * must not. A value is as in that file: `1+2x3` is 1, 3, 5, 7, a minute apart.
 */
import type { Alert } from '../../../scripts/monitoring/alert.ts';

type Series = Readonly<Record<string, string>>;

export type AlertCase = {
  /** When it is looked at. */
  readonly at: string;
  /** Between two values of a series, and two evaluations; default a minute. */
  readonly interval?: '1m' | '30m';
  readonly rings: Series;
  /** Of each alert that rings, beside its severity. */
  readonly labels: readonly Readonly<Record<string, string>>[];
  /** Its first one. */
  readonly summary: string;
  /** Just not. */
  readonly quiet: Series;
};

const unready = (reason: string): string => `dimmer_longest_unready_seconds{reason="${reason}",instance="a"}`;
const build = (component: string): string => `dimmer_build_info{component="${component}",version="1",instance="a"}`;
const reconciles = (outcome: string): string =>
  `dimmer_reconciles_total{kind="VirtualMachineMemory",outcome="${outcome}",instance="a"}`;
const questions = (answer: string): string =>
  `dimmer_agent_guest_question_duration_seconds_count{answer="${answer}",instance="hv-07"}`;
const agentCertificate = 'dimmer_agent_certificate_expiry_timestamp_seconds{instance="hv-07"}';
const ownCertificate = 'dimmer_agent_client_certificate_expiry_timestamp_seconds{instance="c-0"}';
const day = 86_400;
/** Time begins at 0 in these tests. */
const constant = (value: number): string => `${value}x200`;

export const alertCases: Readonly<Record<Alert['name'], AlertCase>> = {
  DimmerMemoryNeedsSomebody: {
    at: '10m',
    rings: { [unready('UnreachableSize')]: '0+60x20', [unready('GuestRefused')]: '0+60x20' },
    labels: [{ reason: 'UnreachableSize' }],
    summary: 'a VM has not had its memory for 10m 0s, and somebody must decide: UnreachableSize',
    quiet: { [unready('UnreachableSize')]: constant(300), [unready('Paused')]: constant(9_000) },
  },
  DimmerMemoryHeldUp: {
    at: '40m',
    rings: { [unready('GuestRefused')]: '0+60x60', [unready('HostUnreachable')]: '0+60x60' },
    labels: [{ reason: 'GuestRefused' }, { reason: 'HostUnreachable' }],
    summary:
      'a VM has not had its memory for 40m 0s; it is tried again, but something outside holds it up: GuestRefused',
    quiet: { [unready('GuestRefused')]: constant(1_800), [unready('Unplugging')]: constant(9_000) },
  },
  DimmerMemoryUnderWayForLong: {
    at: '70m',
    rings: { [unready('Unplugging')]: '0+60x80', [unready('Releasing')]: '0+60x80' },
    labels: [{ reason: 'Unplugging' }],
    summary: 'a VM has not had its memory for 1h 10m 0s, and is still on its way: Unplugging',
    quiet: { [unready('Unplugging')]: constant(3_600), [unready('Releasing')]: constant(80_000) },
  },
  DimmerMemoryUnseen: {
    at: '10m',
    rings: { [unready('')]: '0+60x20' },
    labels: [{}],
    summary: 'no controller has looked at a resource for 10m 0s',
    quiet: { [unready('')]: constant(10), [unready('Plugging')]: constant(900) },
  },
  DimmerHostNotReady: {
    at: '6m',
    rings: {
      // Another leader says the same from then on: it rings all the same.
      'dimmer_host_reason{host="hv-07",reason="HostUnreachable",instance="a"}': '1 1 1 stale',
      'dimmer_host_reason{host="hv-07",reason="HostUnreachable",instance="b"}': '_ _ _ 1x20',
      'dimmer_host_reason{host="hv-08",reason="AgentAnswers",instance="a"}': '1x20',
    },
    labels: [{ host: 'hv-07', reason: 'HostUnreachable' }],
    summary: 'host hv-07 is not ready: HostUnreachable',
    quiet: { 'dimmer_host_reason{host="hv-07",reason="HostUnreachable",instance="a"}': '_ _ _ 1 1 stale' },
  },
  DimmerHostNearlyFull: {
    at: '40m',
    rings: {
      'dimmer_host_memory_committed_bytes{host="hv-07",instance="a"}': constant(97),
      'dimmer_host_memory_limit_bytes{host="hv-07",instance="a"}': constant(100),
    },
    labels: [{ host: 'hv-07' }],
    summary: '97% of what host hv-07 may promise to VMs is promised',
    quiet: {
      'dimmer_host_memory_committed_bytes{host="hv-07",instance="a"}': constant(95),
      'dimmer_host_memory_limit_bytes{host="hv-07",instance="a"}': constant(100),
    },
  },
  DimmerNamespaceNearItsLimit: {
    at: '40m',
    rings: {
      'dimmer_host_namespace_largest_bytes{host="hv-07",instance="a"}': constant(96),
      'dimmer_host_namespace_limit_bytes{host="hv-07",instance="a"}': constant(100),
    },
    labels: [{ host: 'hv-07' }],
    summary: 'a namespace has 96% of what one may have of host hv-07',
    quiet: {
      'dimmer_host_namespace_largest_bytes{host="hv-07",instance="a"}': constant(95),
      'dimmer_host_namespace_limit_bytes{host="hv-07",instance="a"}': constant(100),
      'dimmer_host_namespace_largest_bytes{host="hv-08",instance="a"}': constant(8),
      'dimmer_host_namespace_limit_bytes{host="hv-08",instance="a"}': constant(0),
    },
  },
  DimmerHostCordonedForLong: {
    ...{ at: '25h', interval: '30m' },
    rings: { 'dimmer_host_cordoned{host="hv-07",instance="a"}': '1x60' },
    labels: [{ host: 'hv-07' }],
    summary: 'host hv-07 has been cordoned for more than a day',
    quiet: { 'dimmer_host_cordoned{host="hv-07",instance="a"}': '0x10 1x60' },
  },
  DimmerControllerAbsent: {
    at: '6m',
    rings: { [build('agent')]: constant(1) },
    labels: [{}],
    summary: 'no controller of Dimmer tells Prometheus anything',
    quiet: { [build('standalone')]: constant(1) },
  },
  DimmerNobodyLeads: {
    at: '4m',
    rings: {
      'leader_election_master_status{name="dimmer-controller",instance="a"}': constant(0),
      'leader_election_master_status{name="dimmer-controller",instance="b"}': constant(0),
      'leader_election_master_status{name="another",instance="c"}': constant(0),
    },
    labels: [{ name: 'dimmer-controller' }],
    summary: 'controllers run, but none leads: the lease is dimmer-controller',
    quiet: {
      'leader_election_master_status{name="dimmer-controller",instance="a"}': constant(0),
      'leader_election_master_status{name="dimmer-controller",instance="b"}': constant(1),
    },
  },
  DimmerControllerFault: {
    at: '6m',
    rings: { [reconciles('failed')]: '0 0 0 1x20' },
    labels: [{ kind: 'VirtualMachineMemory' }],
    summary: 'a reconcile of a VirtualMachineMemory has ended by a fault of the controller',
    quiet: { [reconciles('failed')]: constant(3), [reconciles('retry')]: '0+1x20' },
  },
  DimmerReconcilesOverdue: {
    at: '30m',
    rings: { [reconciles('overdue')]: '0+1x60' },
    labels: [{ kind: 'VirtualMachineMemory' }],
    summary: 'reconciles of VirtualMachineMemory are cut off after 2 minutes',
    quiet: { [reconciles('overdue')]: '0 1 1 2x60' },
  },
  DimmerStatusNotWritten: {
    at: '20m',
    rings: {
      'dimmer_status_writes_total{outcome="refused",instance="a"}': '0+1x60',
      'dimmer_status_writes_total{outcome="written",instance="a"}': '0+1x60',
    },
    labels: [{}],
    summary: 'the API server does not take what the controller says of resources',
    quiet: { 'dimmer_status_writes_total{outcome="conflict",instance="a"}': '0+5x60' },
  },
  DimmerWorkWaits: {
    at: '7m',
    rings: { 'workqueue_longest_running_processor_seconds{name="virtualmachinememory",instance="a"}': '0+60x20' },
    labels: [{ name: 'virtualmachinememory' }],
    summary: 'the controller has been at one virtualmachinememory for 7m 0s',
    quiet: {
      'workqueue_longest_running_processor_seconds{name="virtualmachinememory",instance="a"}': constant(120),
      'workqueue_longest_running_processor_seconds{name="of-others",instance="a"}': constant(9_000),
    },
  },
  DimmerLibvirtDown: {
    at: '6m',
    rings: { 'dimmer_agent_libvirt_connected{instance="hv-07"}': constant(0) },
    labels: [{ instance: 'hv-07' }],
    summary: 'the agent at hv-07 does not reach libvirt',
    quiet: { 'dimmer_agent_libvirt_connected{instance="hv-07"}': '0 0 0 1x20' },
  },
  DimmerCertificateEndsSoon: {
    at: '2h',
    rings: { [agentCertificate]: constant(10 * day), [ownCertificate]: constant(100 * day) },
    labels: [{ instance: 'hv-07' }],
    summary: 'the certificate of hv-07 ends in 9d 22h 0m 0s',
    quiet: { [agentCertificate]: constant(15 * day) },
  },
  DimmerCertificateEndsNow: {
    at: '10m',
    rings: { [ownCertificate]: constant(1 * day), [agentCertificate]: constant(3 * day) },
    labels: [{ instance: 'c-0' }],
    summary: 'the certificate of c-0 ends in 23h 50m 0s',
    quiet: { [ownCertificate]: constant(3 * day) },
  },
  DimmerGuestsAnswerLate: {
    at: '60m',
    rings: { [questions('late')]: '0+6x80', [questions('answered')]: '0+2x80' },
    labels: [{ instance: 'hv-07' }],
    summary: '75% of the questions to guests at hv-07 are answered late',
    quiet: { [questions('late')]: '0+1x80', [questions('answered')]: '0+2x80' },
  },
  DimmerManifestProblems: {
    at: '6m',
    rings: { 'dimmer_standalone_manifest_problems{instance="hv-11"}': constant(2) },
    labels: [{ instance: 'hv-11' }],
    summary: 'something is wrong with 2 manifests at hv-11',
    quiet: { 'dimmer_standalone_manifest_problems{instance="hv-11"}': '2 2 2 0x20' },
  },
};
