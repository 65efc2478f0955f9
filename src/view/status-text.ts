/** A resource in titled blocks, for a person at a terminal. Pure: whoever has a resource and its events has this. */
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { formatMeasured, parseQuantity } from '../memory/quantity.ts';
import { lastEvents, type ShownEvent } from './events.ts';
import { age, block, field, type Look, paint, tellTimes } from './layout.ts';
import { describeReachable } from './reachable.ts';
import { slotPicture } from './slot-picture.ts';
import { adviceFor, moreAbout, obstaclesOf, readinessOf, styleOf, titleOf } from './subject.ts';

const shownEvents = 5;

/** All that is known of one resource. @param nowMs epoch milliseconds */
export function describeResource(
  resource: VirtualMachineMemory,
  events: readonly ShownEvent[],
  look: Look,
  nowMs: number,
): string {
  const { status = {} } = resource;
  const { slots, reachable } = status;
  const blocks = [
    [paint(look, 'bold', titleOf(resource, look.width))],
    block(look, 'Memory', memoryLines(resource, look, nowMs)),
    block(look, 'State', stateLines(resource, look, nowMs)),
    slots === undefined
      ? []
      : block(look, `Slots: ${slots.used} of ${slots.total} used`, slotPicture(status, look, nowMs)),
    reachable === undefined ? [] : block(look, 'Sizes that can be reached', describeReachable(reachable, look)),
    block(look, 'Last events', lastEvents(events, shownEvents, look, nowMs)),
  ];
  return `${blocks.flat().join('\n')}\n`;
}

function memoryLines({ spec, status = {} }: VirtualMachineMemory, look: Look, nowMs: number): readonly string[] {
  const { memory, planning } = status;
  const guest = planning?.guest;
  const wanted = spec.memory === undefined ? 'nothing, it is only observed' : String(spec.memory);
  const lines = [...field(look, 'wanted', wanted)];
  if (memory === undefined) return lines;
  const max = memory.max === undefined ? '' : `, of at most ${memory.max}`;
  lines.push(...field(look, 'current', `${memory.current}: boot ${memory.boot}, plugged ${memory.plugged}${max}`));
  if (memory.atNextBoot !== undefined) {
    const isKept = memory.atNextBoot === memory.current;
    lines.push(...field(look, 'next boot', isKept ? `${memory.atNextBoot}, as now` : memory.atNextBoot));
  }
  if (memory.guestTotal === undefined) return lines;
  const usable =
    guest === undefined
      ? ''
      : `; ${measured(guest.usable)} of it were usable ${age(nowMs - Date.parse(guest.reportedAt))} ago`;
  return [...lines, ...field(look, 'guest', `reports ${memory.guestTotal}${usable}`)];
}

function stateLines(resource: VirtualMachineMemory, look: Look, nowMs: number): readonly string[] {
  const { plan, lastResize } = resource.status ?? {};
  const readiness = readinessOf(resource);
  const { ready, reason, message, since } = readiness;
  const [help, more] = ready === 'True' ? [null, null] : [adviceFor(reason), moreAbout(reason)];
  const sinceText = since === null ? '' : ` for ${age(nowMs - Date.parse(since))}`;
  return [
    ...field(look, 'ready', `${ready}${sinceText}, ${reason}: ${tellTimes(message, nowMs)}`).map((text, index) =>
      index === 0 ? text.replace(ready, paint(look, styleOf(readiness), ready)) : text,
    ),
    ...(help === null ? [] : field(look, 'to do', help)),
    ...(more === null ? [] : field(look, 'more', more)),
    ...(plan === undefined || plan.steps.length === 0 || plan.message === message
      ? []
      : field(look, 'plan', tellTimes(plan.message, nowMs))),
    ...(lastResize === undefined ? [] : field(look, 'resized', describeResize(lastResize, nowMs))),
    ...obstaclesOf(resource).flatMap(({ label, message: told }) => field(look, label, tellTimes(told, nowMs))),
  ];
}

/** Rounded down to MiB: what a guest reports is seldom round. */
function measured(size: string): string {
  const parsed = parseQuantity(size);
  return parsed.ok ? formatMeasured(parsed.value) : size;
}

type LastResize = NonNullable<NonNullable<VirtualMachineMemory['status']>['lastResize']>;
function describeResize({ from, to, startTime, completionTime }: LastResize, nowMs: number): string {
  const ago = age(nowMs - Date.parse(completionTime ?? startTime));
  return completionTime === undefined ? `from ${from} to ${to}, begun ${ago} ago` : `from ${from} to ${to}, ${ago} ago`;
}
