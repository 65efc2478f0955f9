/** Alerts about the programs themselves: the controller, the agents, standalone. */
import type { Alert } from './alert.ts';

/** Seconds until the first of the certificates ends, the controller's or an agent's. */
const certificateEndsIn =
  'min by (instance) (dimmer_agent_certificate_expiry_timestamp_seconds or dimmer_agent_client_certificate_expiry_timestamp_seconds) - time()';
const days = (count: number): number => count * 86_400;

const certificate = {
  meaning: 'The certificate that an agent serves with, or that the controller shows to the agents, is about to end.',
  impact:
    'From its end on the controller reaches that host, or with its own certificate no host at all (`HostUnauthorized`).',
  diagnosis: [
    'The label `instance` says whose it is: a host, or the pod of the controller.',
    'On a host: `dimmer agent check` with the options of its agent names the file, and the day.',
    'Of the controller: `kubectl get secret dimmer-agent-client -n dimmer-system`, and who is to renew it.',
  ],
  remedy: ['Renew it. Agent and controller read new files by themselves; nothing needs to be started anew.'],
};

export const programAlerts: readonly Alert[] = [
  {
    name: 'DimmerControllerAbsent',
    expr: 'absent(dimmer_build_info{component=~"controller|standalone"})',
    for: '5m',
    severity: 'critical',
    summary: 'no controller of Dimmer tells Prometheus anything',
    runbook: {
      meaning: 'Neither a controller nor a standalone is scraped: there is none, or Prometheus does not reach it.',
      impact: 'If none runs, sizes that are asked for are not brought about. VMs keep what they have.',
      diagnosis: [
        '`kubectl get pods -n dimmer-system`, and `kubectl describe` of one that does not run.',
        "Prometheus' page of targets: whether the PodMonitor is selected (its labels, its namespace), and what a scrape answers.",
      ],
      remedy: [
        'Mend what keeps the pod from starting: most often the Secret `dimmer-agent-client` is missing.',
        'Let Prometheus select the PodMonitor of `deploy/monitoring/`, and through to port 8080.',
      ],
    },
  },
  {
    name: 'DimmerNobodyLeads',
    expr: 'max by (name) (leader_election_master_status{name=~"dimmer-.*"}) == 0',
    for: '2m',
    severity: 'critical',
    summary: 'controllers run, but none leads: the lease is {{ $labels.name }}',
    runbook: {
      meaning: 'All controllers wait for a lease that somebody else holds, or that they can not write.',
      impact: 'Sizes that are asked for are not brought about. VMs keep what they have.',
      diagnosis: [
        '`kubectl get lease -n dimmer-system -o yaml`: who holds it, and when it was renewed last.',
        "The controllers' logs: a lease that can't be written is named there, with the API server's answer.",
      ],
      remedy: [
        'Give them the right to write the lease back (`kubectl apply -k deploy/`).',
        'Where its holder is a process that Prometheus does not know, such as one started by hand, end that process.',
      ],
    },
  },
  {
    name: 'DimmerControllerFault',
    expr: 'sum by (kind) (increase(dimmer_reconciles_total{outcome="failed"}[15m])) > 0',
    for: '0m',
    severity: 'warning',
    summary: 'a reconcile of a {{ $labels.kind }} has ended by a fault of the controller',
    runbook: {
      meaning: 'The controller has met what it was not written for, in the middle of a reconcile.',
      impact: 'That one resource is tried again after a growing delay; the others go on.',
      diagnosis: ["The controller's log has it at the level of errors, with the resource and the stack."],
      remedy: ['Report it, with that line of the log. `--log-level debug` says more the next time.'],
    },
  },
  {
    name: 'DimmerReconcilesOverdue',
    expr: 'sum by (kind) (increase(dimmer_reconciles_total{outcome="overdue"}[30m])) > 3',
    for: '5m',
    severity: 'warning',
    summary: 'reconciles of {{ $labels.kind }} are cut off after 2 minutes',
    runbook: {
      meaning: 'Hosts or the API server answer so slowly that a reconcile does not end within its 2 minutes.',
      impact: 'The resources are taken up again where they were left; sizes take long to be reached.',
      diagnosis: [
        "`rest_client_request_duration_seconds` tells the API server's part, `dimmer_agent_operation_duration_seconds` and `dimmer_agent_libvirt_call_duration_seconds` the hosts'.",
        "The controller's log names the resource, and what it waited for.",
      ],
      remedy: [
        'Look after the slow host; cordon it until then. Huge modules of pages that are touched at once take minutes by themselves.',
      ],
    },
  },
  {
    name: 'DimmerStatusNotWritten',
    expr: 'sum(increase(dimmer_status_writes_total{outcome=~"failed|refused"}[15m])) > 3',
    for: '5m',
    severity: 'warning',
    summary: 'the API server does not take what the controller says of resources',
    runbook: {
      meaning: 'Writes of status fail, or are refused by the API server.',
      impact:
        'Users, GitOps tools and the admission policy see what was so before. No change is begun whose beginning can not be recorded.',
      diagnosis: [
        '`rest_client_requests_total` by `code`: 403 is a right that is missing, 422 a schema that refuses, 5xx the API server itself.',
        'The condition says [`StatusRefused`](runbooks.md#statusrefused) where the schema refuses.',
      ],
      remedy: ['`kubectl apply -k deploy/` gives rights and definitions back as they belong to this version.'],
    },
  },
  {
    name: 'DimmerWorkWaits',
    expr: 'max by (name) (workqueue_longest_running_processor_seconds{name=~"virtualmachinememory|hypervisorhost"}) > 300',
    for: '1m',
    severity: 'warning',
    summary: 'the controller has been at one {{ $labels.name }} for {{ $value | humanizeDuration }}',
    runbook: {
      meaning: 'A reconcile has run for longer than its 2 minutes and all that may come after: something does not end.',
      impact: 'That resource waits, and with it a place among those that are worked on for its host.',
      diagnosis: [
        "The controller's log: the reconcile that began and did not end.",
        '`dimmer_agent_pending_operations` of the hosts.',
      ],
      remedy: [
        'End the pod of the leader: the other one leads within 2 seconds, and begins by observing. Then report it.',
      ],
    },
  },
  {
    name: 'DimmerLibvirtDown',
    expr: 'min by (instance) (dimmer_agent_libvirt_connected) == 0',
    for: '5m',
    severity: 'warning',
    summary: 'the agent at {{ $labels.instance }} does not reach libvirt',
    runbook: {
      meaning: 'The agent runs, and libvirt does not answer it.',
      impact: 'VMs on that host run on, and are neither observed nor changed (`HostUnreachable`).',
      diagnosis: [
        "On the host: `dimmer agent check` with the agent's options.",
        '`systemctl status virtqemud libvirtd`.',
      ],
      remedy: ['Start libvirt. The agent connects by itself.'],
    },
  },
  {
    name: 'DimmerCertificateEndsSoon',
    expr: `${certificateEndsIn} < ${days(14)}`,
    for: '1h',
    severity: 'warning',
    summary: 'the certificate of {{ $labels.instance }} ends in {{ $value | humanizeDuration }}',
    runbook: certificate,
  },
  {
    name: 'DimmerCertificateEndsNow',
    expr: `${certificateEndsIn} < ${days(2)}`,
    for: '5m',
    severity: 'critical',
    summary: 'the certificate of {{ $labels.instance }} ends in {{ $value | humanizeDuration }}',
    runbook: certificate,
  },
  {
    name: 'DimmerGuestsAnswerLate',
    expr: [
      'sum by (instance) (rate(dimmer_agent_guest_question_duration_seconds_count{answer="late"}[15m]))',
      'sum by (instance) (rate(dimmer_agent_guest_question_duration_seconds_count[15m])) > 0.5',
    ].join(' / '),
    for: '30m',
    severity: 'info',
    summary: '{{ $value | humanizePercentage }} of the questions to guests at {{ $labels.instance }} are answered late',
    runbook: {
      meaning: 'More than half of the guests that are asked what memory they have do not say so in time.',
      impact:
        'Nothing is taken from a guest that does not say what it can spare: shrinking waits (`WaitingForGuest`, `GuestMemoryUnknown`).',
      diagnosis: [
        'In the guests: memory pressure, a processor that is taken up, a balloon driver that hangs.',
        'On the host: its load, and whether it swaps.',
      ],
      remedy: ['Give the guests, or the host, room; the questions are repeated by themselves.'],
    },
  },
  {
    name: 'DimmerManifestProblems',
    expr: 'max by (instance) (dimmer_standalone_manifest_problems) > 0',
    for: '5m',
    severity: 'warning',
    summary: 'something is wrong with {{ $value }} manifests at {{ $labels.instance }}',
    runbook: {
      meaning: 'A file of the directory that standalone follows can not be read, or says what is refused.',
      impact: 'What it says does not count; its resource stays as it was. The other files count.',
      diagnosis: ['`dimmer status` names file, line, column and what is wrong; so does the log.'],
      remedy: ['Correct the file. It is read again when it has changed.'],
    },
  },
];
