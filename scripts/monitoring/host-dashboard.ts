/** One host: its memory, its VMs, and what its agent does. */
import type { Dashboard } from './dashboard.ts';
import { fill, readiness, reasonsOverTime, small, valueOf } from './one-subject.ts';
import { graph, stat, table } from './panels.ts';

const of = valueOf('dimmer_host', 'host="$host"');
const reasons = 'max by (reason) (dimmer_host_reason{host="$host"})';
const quantile = (metric: string, by: string): string =>
  `histogram_quantile(0.95, sum by (le, ${by}) (rate(${metric}_bucket{instance=~"$instance"}[$__rate_interval])))`;

export const hostDashboard: Dashboard = {
  uid: 'dimmer-host',
  title: 'Dimmer / Host',
  description: 'One host: its memory as the controller sees it, its VMs, and its agent.',
  choices: [
    { name: 'host', label: 'Host', metric: 'dimmer_host_ready' },
    { name: 'instance', label: 'Agent', metric: 'dimmer_agent_info' },
  ],
  rows: [
    {
      title: '$host',
      panels: [
        ...readiness({
          ...{ title: 'Ready', description: 'Whether its agent answers and its spec makes sense.' },
          ...{ ready: of('ready'), reasonDescription: 'Why it is ready or not.', reasons },
        }),
        stat({
          ...{ title: 'VMs', description: 'That its agent serves, running or only defined.', ...small },
          expr: of('virtual_machines'),
        }),
        stat({
          ...{ title: 'Available', description: 'Memory that new work could take.', ...small },
          ...{ expr: of('memory_available_bytes'), unit: 'bytes', spark: true },
        }),
        fill({
          ...{
            title: 'Promised of the limit',
            description: 'Memory that running VMs may use, of what may be promised.',
          },
          ...{ expr: `${of('memory_committed_bytes')} / ${of('memory_limit_bytes')}`, red: 0.95 },
        }),
        stat({
          ...{ title: 'Cordoned', description: 'Whether new memory is kept away.', ...small },
          ...{ expr: of('cordoned'), words: { '0': ['no', 'green'], '1': ['yes', 'orange'] } },
        }),
        graph({
          ...{
            title: 'Memory',
            description: 'Nothing is promised above the limit.',
            width: 12,
            height: 9,
            unit: 'bytes',
          },
          queries: [
            { expr: of('memory_total_bytes'), legend: 'total' },
            { expr: of('memory_limit_bytes'), legend: 'limit of what is promised' },
            { expr: of('memory_committed_bytes'), legend: 'promised' },
            { expr: of('memory_available_bytes'), legend: 'available' },
            { expr: of('namespace_limit_bytes'), legend: 'limit of a namespace' },
            { expr: of('namespace_largest_bytes'), legend: 'the largest namespace' },
          ],
        }),
        reasonsOverTime({
          ...{ title: 'Reasons', description: 'What was said of it when.', width: 12, height: 9, expr: reasons },
        }),
      ],
    },
    {
      title: 'Its VMs (kube-state-metrics)',
      panels: [
        table({
          ...{
            title: 'VMs on this host',
            description: 'A name leads to the dashboard of that VM.',
            width: 24,
            height: 9,
          },
          ...{ by: 'name', sortBy: 'There' },
          queries: [
            {
              expr: 'max by (namespace, name) (dimmer_vm_memory_current_bytes * on (namespace, name) group_left (host) dimmer_vm_info{host="$host"})',
            },
          ],
          columns: {
            namespace: { title: 'Namespace' },
            name: {
              title: 'Name',
              link: {
                title: 'This VM',
                url: '/d/dimmer-vm?var-namespace=${__data.fields.Namespace}&var-name=${__value.raw}&${__url_time_range}',
              },
            },
            A: { title: 'There', unit: 'bytes' },
          },
        }),
      ],
    },
    {
      title: 'Its agent',
      panels: [
        stat({
          ...{ title: 'libvirt', description: 'Whether the agent reaches it.', ...small },
          expr: 'min(dimmer_agent_libvirt_connected{instance=~"$instance"})',
          words: { '0': ['down', 'red'], '1': ['up', 'green'] },
        }),
        stat({
          ...{ title: 'Certificate ends', description: 'Of the agent.', ...small, unit: 'dateTimeFromNow' },
          expr: 'min(dimmer_agent_certificate_expiry_timestamp_seconds{instance=~"$instance"}) * 1000',
        }),
        stat({
          ...{ title: 'Changes in hand', description: 'Under way, or waiting for the lock of their VM.', ...small },
          ...{ expr: 'sum(dimmer_agent_pending_operations{instance=~"$instance"})', spark: true },
        }),
        stat({
          ...{ title: 'Streams of events', description: 'Controllers that listen.', ...small },
          expr: 'sum(dimmer_agent_event_streams{instance=~"$instance"})',
        }),
        stat({
          ...{ title: 'Memory', description: 'Resident, of the agent.', ...small, unit: 'bytes', spark: true },
          expr: 'max(process_resident_memory_bytes{instance=~"$instance"} * on (instance, job) group_left () dimmer_agent_info)',
        }),
        stat({
          ...{ title: 'Version', description: 'Of the agent.', ...small, shows: 'name' },
          ...{ expr: 'max by (version) (dimmer_agent_info{instance=~"$instance"})', legend: '{{version}}' },
        }),
        graph({
          ...{ title: 'Changes of memory', description: 'By what became of them.', width: 8, height: 8, unit: 'ops' },
          queries: [
            {
              expr: 'sum by (operation, outcome) (rate(dimmer_agent_operation_duration_seconds_count{instance=~"$instance"}[$__rate_interval]))',
              legend: '{{operation}}: {{outcome}}',
            },
          ],
        }),
        graph({
          ...{ title: 'How long a change takes', description: '95 of 100 are faster.', width: 8, height: 8, unit: 's' },
          queries: [
            { expr: quantile('dimmer_agent_operation_duration_seconds', 'operation'), legend: '{{operation}}' },
          ],
        }),
        graph({
          ...{
            title: 'How long libvirt takes',
            description: '95 of 100 calls are faster.',
            width: 8,
            height: 8,
            unit: 's',
          },
          queries: [
            { expr: quantile('dimmer_agent_libvirt_call_duration_seconds', 'procedure'), legend: '{{procedure}}' },
          ],
        }),
        graph({
          ...{
            title: 'Questions to guests',
            description: 'Late answers mean guests under pressure.',
            width: 8,
            height: 8,
            unit: 'ops',
          },
          queries: [
            {
              expr: 'sum by (answer) (rate(dimmer_agent_guest_question_duration_seconds_count{instance=~"$instance"}[$__rate_interval]))',
              legend: '{{answer}}',
            },
          ],
          stacked: true,
        }),
        graph({
          ...{ title: 'Requests', description: 'To the agent, by status.', width: 8, height: 8, unit: 'reqps' },
          queries: [
            {
              expr: 'sum by (status) (rate(dimmer_agent_http_request_duration_seconds_count{instance=~"$instance"}[$__rate_interval]))',
              legend: '{{status}}',
            },
          ],
        }),
        graph({
          ...{
            title: 'Refused connections',
            description: 'By why: a certificate, a limit, no HTTP.',
            width: 8,
            height: 8,
          },
          queries: [
            {
              expr: 'sum by (why) (increase(dimmer_agent_refused_connections_total{instance=~"$instance"}[$__rate_interval]))',
              legend: '{{why}}',
            },
          ],
          bars: true,
        }),
      ],
    },
  ],
};
