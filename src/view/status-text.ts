/** A resource in titled blocks, for a person at a terminal. Pure: whoever has a resource and its events has this. */
import { findCondition } from '../api/v1alpha1/conditions.ts';
import type { Reason } from '../api/v1alpha1/reasons.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { advice } from './advice.ts';
import { age, cut, field, type Look, paint, table } from './layout.ts';
import { slotPicture } from './slot-picture.ts';

/** An event as it is shown. */
export type ShownEvent = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  /** RFC 3339. */
  readonly lastSeen: string;
};

const shownEvents = 5;

/** `default/web`. */
export const fullName = ({ metadata }: VirtualMachineMemory): string => `${metadata.namespace}/${metadata.name}`;

/** The VM as the resource names it. */
const machineOf = ({ spec, status }: VirtualMachineMemory): string =>
  status?.virtualMachine?.name ?? spec.virtualMachine.name ?? spec.virtualMachine.uuid ?? '?';

/** What Ready says, or that nobody has looked yet. */
function readyOf({ metadata, status }: VirtualMachineMemory): { ready: string; reason: string; message: string } {
  const condition = findCondition(status?.conditions, 'Ready');
  if (condition === undefined || status?.observedGeneration !== metadata.generation) {
    return { ready: 'Unknown', reason: 'NotLookedAtYet', message: 'what is wanted now has not been looked at yet' };
  }
  return { ready: condition.status, reason: condition.reason, message: condition.message };
}

/** All that is known of one resource. @param nowMs epoch milliseconds */
export function describeResource(
  resource: VirtualMachineMemory,
  events: readonly ShownEvent[],
  look: Look,
  nowMs: number,
): string {
  const { spec, status = {} } = resource;
  const { ready, reason, message } = readyOf(resource);
  const { memory, slots, lastResize, reachable, plan } = status;
  const style = ready === 'True' ? 'green' : ready === 'False' ? 'red' : 'yellow';
  const where = status.hostName === undefined ? '' : ` on ${status.hostName}`;
  const state = status.virtualMachine === undefined ? '' : `, ${status.virtualMachine.state}`;
  const title = cut(`${fullName(resource)}: VM ${machineOf(resource)}${where}${state}`, look.width);
  const line = (label: string, text: string): readonly string[] => field(look, label, text);

  const sizes = [
    `wanted ${spec.memory ?? 'nothing: observed only'}`,
    ...(memory === undefined
      ? []
      : [
          `current ${memory.current}`,
          `boot ${memory.boot}`,
          ...(memory.max === undefined ? [] : [`max ${memory.max}`]),
          ...(memory.guestTotal === undefined ? [] : [`the guest reports ${memory.guestTotal}`]),
        ]),
  ];
  const help = advice[reason as Reason];
  const blocks = [
    [paint(look, 'bold', title)],
    line('memory', sizes.join(', ')),
    [
      ...line('ready', `${ready}, ${reason}: ${message}`).map((text, index) =>
        index === 0 ? text.replace(ready, paint(look, style, ready)) : text,
      ),
      ...(help === undefined || ready === 'True' ? [] : line('to do', help)),
    ],
    plan === undefined || plan.steps.length === 0 || plan.message === message ? [] : line('plan', plan.message),
    lastResize === undefined ? [] : line('resized', describeResize(lastResize, nowMs)),
    reachable === undefined ? [] : line('reach', describeReachable(reachable)),
    slots === undefined
      ? []
      : [...line('slots', `${slots.used} of ${slots.total} used`), ...slotPicture(status, look, nowMs)],
    events.length === 0 ? [] : ['', paint(look, 'bold', 'Last events'), ...eventLines(events, look, nowMs)],
  ];
  return `${blocks.flat().join('\n')}\n`;
}

type LastResize = NonNullable<NonNullable<VirtualMachineMemory['status']>['lastResize']>;
function describeResize({ from, to, startTime, completionTime }: LastResize, nowMs: number): string {
  const ago = age(nowMs - Date.parse(completionTime ?? startTime));
  return completionTime === undefined ? `from ${from} to ${to}, begun ${ago} ago` : `from ${from} to ${to}, ${ago} ago`;
}

type Reachable = NonNullable<NonNullable<VirtualMachineMemory['status']>['reachable']>;
function describeReachable({ below, above, ranges, complete }: Reachable): string {
  const all = ranges.map(({ from, to, step }) => (from === to ? from : `${from} to ${to} in steps of ${step}`));
  const nearest = [
    ...(below === undefined ? [] : [`${below} below`]),
    ...(above === undefined ? [] : [`${above} above`]),
  ];
  const near = nearest.length === 0 ? '' : `; next: ${nearest.join(', ')}`;
  return `${all.join(', ')}${complete ? '' : ', and more'}${near}`;
}

function eventLines(events: readonly ShownEvent[], look: Look, nowMs: number): readonly string[] {
  const rows = events
    .slice(-shownEvents)
    .toReversed()
    .map(({ reason, message, count, lastSeen, type }) => [
      type === 'Warning' ? '!' : ' ',
      age(nowMs - Date.parse(lastSeen)),
      count > 1 ? `${reason} (${count}x)` : reason,
      message,
    ]);
  return table(rows, look.width);
}

/** One line a resource; `wide`: with more columns, however long the lines get. */
export function tableOfResources(resources: readonly VirtualMachineMemory[], look: Look, wide: boolean): string {
  const more = wide ? ['HOST', 'BOOT', 'MAX', 'SLOTS', 'MESSAGE'] : [];
  const rows = [
    ['NAME', 'VM', 'WANTED', 'CURRENT', 'READY', 'REASON', ...more],
    ...resources.map((resource) => cellsOf(resource, wide)),
  ];
  const [first = '', ...rest] = wide ? table(rows, Infinity) : fitting(rows, look.width);
  return `${[paint(look, 'bold', first), ...rest].join('\n')}\n`;
}

function cellsOf(resource: VirtualMachineMemory, wide: boolean): readonly string[] {
  const { spec, status } = resource;
  const { ready, reason, message } = readyOf(resource);
  const { memory, slots } = status ?? {};
  const sizes = [String(spec.memory ?? '-'), memory?.current ?? '-'];
  const row = [fullName(resource), machineOf(resource), ...sizes, ready, reason];
  if (!wide) return row;
  const used = slots === undefined ? '-' : `${slots.used}/${slots.total}`;
  return [...row, status?.hostName ?? '-', memory?.boot ?? '-', memory?.max ?? '-', used, message];
}

/** The rows in lines that fit: without the column of VMs where that takes too much, then with names cut short. */
function fitting(rows: readonly (readonly string[])[], width: number): readonly string[] {
  const widthOf = (lines: readonly string[]): number => Math.max(...lines.map((line) => line.length));
  const whole = table(rows, Infinity);
  if (widthOf(whole) <= width) return whole;
  const withoutMachines = rows.map(([name = '', , ...others]) => [name, ...others]);
  const excess = widthOf(table(withoutMachines, Infinity)) - width;
  const names = Math.max(...withoutMachines.map(([name = '']) => name.length));
  return table(
    withoutMachines.map(([name = '', ...others]) => [cut(name, names - Math.max(0, excess)), ...others]),
    width,
  );
}
