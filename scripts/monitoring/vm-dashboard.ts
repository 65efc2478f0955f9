/** One VM, from its object: by kube-state-metrics with deploy/monitoring/kube-state-metrics.yaml. */
import type { Dashboard } from './dashboard.ts';
import { hostLink } from './fleet-dashboard.ts';
import { fill, readiness, reasonsOverTime, small, valueOf } from './one-subject.ts';
import { graph, stat, table } from './panels.ts';

const which = 'namespace="$namespace", name="$name"';
const of = valueOf('dimmer_vm', which);
const reasons = `count by (reason) (dimmer_vm_condition{${which}, type="Ready"})`;

export const vmDashboard: Dashboard = {
  uid: 'dimmer-vm',
  title: 'Dimmer / VM',
  description: 'One VM as its VirtualMachineMemory says it is. Needs kube-state-metrics.',
  choices: [
    { name: 'namespace', label: 'Namespace', metric: 'dimmer_vm_info' },
    { name: 'name', label: 'Name', metric: 'dimmer_vm_info{namespace="$namespace"}' },
  ],
  rows: [
    {
      title: '$namespace/$name',
      panels: [
        ...readiness({
          ...{ title: 'As it should be', description: 'Whether Ready is True.' },
          ready: `max(dimmer_vm_condition{${which}, type="Ready"})`,
          ...{ reasonDescription: 'Of Ready.', reasons },
        }),
        stat({
          ...{ title: 'Since', description: 'When Ready last became true, or ceased to be.', ...small },
          ...{
            expr: `max(dimmer_vm_condition_since_timestamp_seconds{${which}, type="Ready"}) * 1000`,
            unit: 'dateTimeFromNow',
          },
        }),
        stat({
          ...{ title: 'Wanted', description: 'spec.memory.', ...small, unit: 'bytes' },
          expr: of('memory_wanted_bytes'),
        }),
        stat({
          ...{ title: 'There', description: 'Boot memory and plugged modules.', ...small, unit: 'bytes', spark: true },
          expr: of('memory_current_bytes'),
        }),
        fill({
          ...{ title: 'Slots taken', description: 'Of those that the VM has.' },
          ...{ expr: `${of('slots_used')} / ${of('slots')}`, red: 1 },
        }),
        graph({
          ...{ title: 'Memory', description: 'What the guest says is always a little below what is there.' },
          ...{ width: 16, height: 10, unit: 'bytes' },
          queries: [
            { expr: of('memory_wanted_bytes'), legend: 'wanted' },
            { expr: of('memory_current_bytes'), legend: 'there' },
            { expr: of('memory_target_bytes'), legend: 'where the plan leads' },
            { expr: of('memory_guest_bytes'), legend: 'the guest says' },
            { expr: of('memory_boot_bytes'), legend: 'boot memory' },
          ],
        }),
        graph({
          ...{
            title: 'Modules',
            description: 'By slot and state.',
            width: 8,
            height: 10,
            unit: 'bytes',
            stacked: true,
          },
          queries: [{ expr: `sum by (slot, state) (dimmer_vm_module_bytes{${which}})`, legend: '{{slot}}: {{state}}' }],
        }),
        reasonsOverTime({
          ...{ title: 'What it said when', description: 'The reasons of Ready.', width: 24, height: 7 },
          expr: reasons,
        }),
        table({
          ...{ title: 'Which VM', description: 'A host leads to its dashboard.', width: 12, height: 5, by: 'uuid' },
          queries: [{ expr: `max by (vm, host, uuid, state) (dimmer_vm_info{${which}})` }],
          columns: {
            vm: { title: 'VM' },
            host: { title: 'Host', link: hostLink },
            state: { title: 'State' },
            uuid: { title: 'UUID' },
          },
        }),
        table({
          ...{ title: 'Conditions', description: 'Each with its reason; docs/runbooks.md has a section for it.' },
          ...{ width: 12, height: 5, by: 'type' },
          queries: [{ expr: `max by (type, reason) (dimmer_vm_condition{${which}})` }],
          columns: {
            type: { title: 'Condition' },
            A: { title: 'True', words: { '1': ['yes', 'text'], '0': ['no', 'text'] } },
            reason: { title: 'Reason' },
          },
        }),
        stat({
          ...{ title: 'Last resize began', description: 'status.lastResize.', width: 6, height: 4 },
          ...{ expr: `${of('resize_started_timestamp_seconds')} * 1000`, unit: 'dateTimeFromNow' },
        }),
        stat({
          ...{ title: 'It took', description: 'Nothing while it goes on.', width: 6, height: 4, unit: 's' },
          expr: `${of('resize_completed_timestamp_seconds')} - ${of('resize_started_timestamp_seconds')}`,
        }),
        stat({
          ...{ title: 'Most that it can have', description: 'By its definition in libvirt.', width: 6, height: 4 },
          ...{ expr: of('memory_max_bytes'), unit: 'bytes' },
        }),
        stat({
          ...{ title: 'Boot memory', description: "Can't be unplugged.", width: 6, height: 4, unit: 'bytes' },
          expr: of('memory_boot_bytes'),
        }),
      ],
    },
  ],
};
