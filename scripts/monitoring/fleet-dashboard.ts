/** All VMs and hosts: who waits and for what, how much memory is wanted and there, how the controller does. */
import { type Reason, reasonTable } from '../../src/api/v1alpha1/reasons.ts';
import type { Dashboard } from './dashboard.ts';
import { graph, stat, table } from './panels.ts';

type Row = (typeof reasonTable)[Reason];
const reasonsThat = (holds: (row: Row) => boolean): string =>
  (Object.keys(reasonTable) as readonly Reason[]).filter((reason) => holds(reasonTable[reason])).join('|');

const good = reasonsThat(({ ready }) => ready === 'True');
const stuck = reasonsThat(({ stalled }) => stalled);
const heldUp = reasonsThat(({ reconciling, warning }) => reconciling && warning);
const moving = reasonsThat(({ reconciling, warning }) => reconciling && !warning);
const count = (reasons: string): string => `sum(dimmer_resources{reason=~"${reasons}"}) or vector(0)`;
const small = { width: 3, height: 4 } as const;

export const words = { '1': ['yes', 'green'], '0': ['no', 'red'] } as const;
export const hostLink = { title: 'This host', url: '/d/dimmer-host?var-host=${__value.raw}&${__url_time_range}' };

export const fleetDashboard: Dashboard = {
  uid: 'dimmer-fleet',
  title: 'Dimmer / Fleet',
  description: 'All VMs whose memory Dimmer looks after, and their hosts.',
  choices: [],
  rows: [
    {
      title: 'How it is',
      panels: [
        stat({
          ...{ title: 'VMs', description: 'VirtualMachineMemory resources.', ...small },
          ...{ expr: 'sum(dimmer_resources)', spark: true },
        }),
        stat({
          ...{ title: 'As they should be', description: 'Have what was asked for (Ready is True).', ...small },
          ...{ expr: `(${count(good)}) / sum(dimmer_resources)`, unit: 'percentunit' },
          steps: [
            [null, 'red'],
            [0.9, 'orange'],
            [0.99, 'green'],
          ],
        }),
        stat({
          ...{ title: 'Need somebody', description: 'Stalled: nothing happens until somebody decides.', ...small },
          expr: count(stuck),
          steps: [
            [null, 'green'],
            [1, 'red'],
          ],
        }),
        stat({
          ...{ title: 'Held up', description: 'By a guest or a host; tried again without help.', ...small },
          expr: count(heldUp),
          steps: [
            [null, 'green'],
            [1, 'orange'],
          ],
        }),
        stat({
          ...{ title: 'Under way', description: 'Being resized now.', ...small },
          expr: count(moving),
          steps: [
            [null, 'green'],
            [1, 'blue'],
          ],
        }),
        stat({
          ...{
            title: 'Longest wait',
            description: 'For how long the one has not had its memory that waits longest.',
            ...small,
          },
          ...{ expr: 'max(dimmer_longest_unready_seconds{reason!~"Paused|Releasing"}) or vector(0)', unit: 's' },
          steps: [
            [null, 'green'],
            [900, 'orange'],
            [3600, 'red'],
          ],
        }),
        stat({
          ...{ title: 'Hosts ready', description: 'HypervisorHosts whose agent answers.', ...small },
          ...{
            expr: 'sum(max by (host) (dimmer_host_ready)) / count(max by (host) (dimmer_host_ready))',
            unit: 'percentunit',
          },
          steps: [
            [null, 'red'],
            [1, 'green'],
          ],
        }),
        stat({
          ...{ title: 'Leaders', description: 'Controllers that lead: one, or one for each shard.', ...small },
          expr: 'sum(leader_election_master_status)',
          steps: [
            [null, 'red'],
            [1, 'green'],
          ],
        }),
      ],
    },
    {
      title: 'Who waits, and for what',
      panels: [
        table({
          ...{
            title: 'By reason',
            description: 'All that are not as they should be; docs/runbooks.md has a section for each reason.',
          },
          ...{ width: 9, height: 9, by: 'reason', sortBy: 'VMs' },
          queries: [
            { expr: `sum by (reason) (dimmer_resources{reason!~"${good}"}) > 0` },
            { expr: 'max by (reason) (dimmer_longest_unready_seconds)' },
          ],
          columns: {
            reason: { title: 'Reason' },
            A: { title: 'VMs' },
            B: { title: 'Longest wait', unit: 's' },
          },
        }),
        graph({
          ...{ title: 'VMs by reason', description: 'All but those that are as they should be.', width: 15, height: 9 },
          queries: [{ expr: `sum by (reason) (dimmer_resources{reason!~"${good}"})`, legend: '{{reason}}' }],
          stacked: true,
        }),
      ],
    },
    {
      title: 'Memory',
      panels: [
        graph({
          ...{ title: 'Wanted and there', description: 'Of all VMs together.', width: 12, height: 8, unit: 'bytes' },
          queries: [
            { expr: 'sum(dimmer_memory_wanted_bytes)', legend: 'wanted' },
            { expr: 'sum(dimmer_memory_current_bytes)', legend: 'there' },
          ],
        }),
        table({
          ...{
            title: 'By namespace',
            description: 'The largest namespaces; _other is the rest.',
            width: 12,
            height: 8,
          },
          ...{ by: 'namespace', sortBy: 'There' },
          queries: [
            { expr: 'sum by (namespace) (dimmer_memory_wanted_bytes)' },
            { expr: 'sum by (namespace) (dimmer_memory_current_bytes)' },
          ],
          columns: {
            namespace: { title: 'Namespace' },
            A: { title: 'Wanted', unit: 'bytes' },
            B: { title: 'There', unit: 'bytes' },
          },
        }),
      ],
    },
    {
      title: 'Resizes',
      panels: [
        graph({
          ...{
            title: 'What became of them',
            description: 'Resizes that ended, by direction and reason.',
            width: 8,
            height: 8,
          },
          queries: [
            {
              expr: 'sum by (direction, outcome) (increase(dimmer_resize_duration_seconds_count[$__rate_interval]))',
              legend: '{{direction}}: {{outcome}}',
            },
          ],
          ...{ bars: true, stacked: true },
        }),
        graph({
          ...{ title: 'How long they take', description: 'From the wish until it is told what became of it.' },
          ...{ width: 8, height: 8, unit: 's' },
          queries: [0.5, 0.95].map((quantile) => ({
            expr: `histogram_quantile(${quantile}, sum by (le, direction) (rate(dimmer_resize_duration_seconds_bucket[$__rate_interval])))`,
            legend: `{{direction}}, ${quantile * 100} %`,
          })),
        }),
        graph({
          ...{ title: 'Plugs and unplugs', description: 'Requests to hosts, by their result.', width: 8, height: 8 },
          ...{ unit: 'ops' },
          queries: [
            {
              expr: 'sum by (operation, result) (rate(dimmer_operations_total[$__rate_interval]))',
              legend: '{{operation}}: {{result}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Hosts',
      panels: [
        table({
          ...{ title: 'All hosts', description: 'A name leads to the dashboard of that host.', width: 24, height: 9 },
          by: 'host',
          queries: [
            { expr: 'max by (host) (dimmer_host_ready)' },
            { expr: 'max by (host, reason) (dimmer_host_reason)' },
            { expr: 'max by (host) (dimmer_host_virtual_machines)' },
            { expr: 'max by (host) (dimmer_host_memory_available_bytes)' },
            { expr: 'max by (host) (dimmer_host_memory_committed_bytes)' },
            { expr: 'max by (host) (dimmer_host_memory_committed_bytes / dimmer_host_memory_limit_bytes)' },
            { expr: 'max by (host) (dimmer_host_cordoned)' },
          ],
          columns: {
            host: { title: 'Host', link: hostLink },
            A: { title: 'Ready', words },
            reason: { title: 'Reason' },
            C: { title: 'VMs' },
            D: { title: 'Available', unit: 'bytes' },
            E: { title: 'Promised', unit: 'bytes' },
            F: {
              ...{ title: 'Promised of the limit', unit: 'percentunit' },
              steps: [
                [null, 'green'],
                [0.8, 'orange'],
                [0.95, 'red'],
              ],
            },
            G: { title: 'Cordoned', words: { '0': ['no', 'text'], '1': ['yes', 'orange'] } },
          },
        }),
      ],
    },
    {
      title: 'The controller',
      panels: [
        graph({
          ...{
            title: 'Reconciles',
            description: 'By how they ended; overdue and failed ones are faults.',
            width: 8,
            height: 8,
          },
          ...{ unit: 'ops' },
          queries: [
            {
              expr: 'sum by (kind, outcome) (rate(dimmer_reconciles_total[$__rate_interval])) > 0',
              legend: '{{kind}}: {{outcome}}',
            },
          ],
        }),
        graph({
          ...{
            title: 'How long a reconcile takes',
            description: '95 of 100 are faster.',
            width: 8,
            height: 8,
            unit: 's',
          },
          queries: [
            {
              expr: 'histogram_quantile(0.95, sum by (le, kind) (rate(dimmer_reconcile_duration_seconds_bucket[$__rate_interval])))',
              legend: '{{kind}}',
            },
          ],
        }),
        graph({
          ...{
            title: 'Waiting for a worker',
            description: 'Resources and hosts that are to be looked at.',
            width: 8,
            height: 8,
          },
          queries: [
            {
              expr: 'sum by (name) (workqueue_depth{name=~"virtualmachinememory|hypervisorhost"})',
              legend: '{{name}}',
            },
          ],
        }),
        graph({
          ...{ title: 'Writes of status', description: 'By what became of them.', width: 8, height: 8, unit: 'ops' },
          queries: [
            {
              expr: 'sum by (outcome) (rate(dimmer_status_writes_total[$__rate_interval])) > 0',
              legend: '{{outcome}}',
            },
          ],
        }),
        graph({
          ...{ title: 'Memory of the programs', description: 'Resident.', width: 8, height: 8, unit: 'bytes' },
          queries: [
            {
              expr: 'process_resident_memory_bytes * on (instance, job) group_left (component) dimmer_build_info',
              legend: '{{component}} {{instance}}',
            },
          ],
        }),
        table({
          ...{
            title: 'Versions and certificates',
            description: 'Of the programs that are scraped.',
            width: 8,
            height: 8,
          },
          by: 'instance',
          queries: [
            { expr: 'max by (instance, component, version) (dimmer_build_info)' },
            {
              expr: 'min by (instance) (dimmer_agent_certificate_expiry_timestamp_seconds or dimmer_agent_client_certificate_expiry_timestamp_seconds) * 1000',
            },
          ],
          columns: {
            instance: { title: 'Instance' },
            component: { title: 'Program' },
            version: { title: 'Version' },
            B: { title: 'Certificate ends', unit: 'dateTimeFromNow' },
          },
        }),
      ],
    },
  ],
};
