/** What stands between the size that is wanted and the one that is there, in one paragraph. Pure. */
import type { ModuleStatus, VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { age, type Look, tellTimes } from './layout.ts';
import { nearestSizes } from './reachable.ts';
import { adviceFor, fullName, goesOn, machineOf, type Obstacle, obstaclesOf, readinessOf } from './subject.ts';
import { wrap } from '../memory/lines.ts';

/** `besides`: sentences that whoever calls has to add. @param nowMs epoch milliseconds */
export function explainResource(
  resource: VirtualMachineMemory,
  besides: readonly string[],
  look: Look,
  nowMs: number,
): string {
  const readiness = readinessOf(resource);
  const { reason, message, since, ready } = readiness;
  const parts = [`${sizesOf(resource)}.`];
  if (ready === 'True') {
    const forHowLong = since === null ? '' : `, for ${age(nowMs - Date.parse(since))} now`;
    parts.push(`Nothing stands in between (${reason}${forHowLong}): ${message}.`, ...obstaclesIn(resource));
    return paragraph([...parts, ...besides], look, nowMs);
  }
  const forHowLong = since === null ? '' : `For ${age(nowMs - Date.parse(since))} `;
  parts.push(`${forHowLong === '' ? 'It says' : `${forHowLong}it has not been ready; it says`} ${reason}: ${message}.`);
  parts.push(...triedOf(resource, nowMs));
  parts.push(...obstaclesIn(resource));
  const near = resource.status?.reachable === undefined ? null : nearestSizes(resource.status.reachable);
  if (!goesOn(reason) && near !== null) parts.push(`Sizes that can be had: ${near}.`);
  const help = adviceFor(reason);
  if (help !== null) parts.push(`What would help: ${help}.`);
  else if (goesOn(reason)) parts.push('Nothing needs to be done: it goes on by itself.');
  return paragraph([...parts, ...besides], look, nowMs);
}

const beginnings: Readonly<Record<Obstacle['label'], string>> = {
  hotplug: 'Not ready for hotplug,',
  restart: 'A restart is',
  'next boot': 'The next boot gives another size,',
};

const obstaclesIn = (resource: VirtualMachineMemory): readonly string[] =>
  obstaclesOf(resource).map(({ label, message }) => `${beginnings[label]} ${message}.`);

const paragraph = (parts: readonly string[], look: Look, nowMs: number): string =>
  `${wrap(tellTimes(parts.join(' '), nowMs), look.width).join('\n')}\n`;

function sizesOf(resource: VirtualMachineMemory): string {
  const { spec, status } = resource;
  const where = status?.hostName === undefined ? '' : ` on ${status.hostName}`;
  const who = `${fullName(resource)} (VM ${machineOf(resource)}${where})`;
  const current = status?.memory?.current;
  if (spec.memory === undefined) return `${who} is only observed${current === undefined ? '' : `, and has ${current}`}`;
  return current === undefined ? `${who} wants ${spec.memory}` : `${who} wants ${spec.memory} and has ${current}`;
}

/** What was done for it so far. */
function triedOf({ status = {} }: VirtualMachineMemory, nowMs: number): readonly string[] {
  const { lastResize, modules = [], replacement, drift } = status;
  const agoOf = (time: string): string => `${age(nowMs - Date.parse(time))} ago`;
  const corrections = drift?.corrections ?? [];
  return [
    ...(lastResize === undefined || lastResize.completionTime !== undefined
      ? []
      : [`The change from ${lastResize.from} to ${lastResize.to} was begun ${agoOf(lastResize.startTime)}.`]),
    ...modules.filter(({ state }) => state === 'Leaving').map((module) => describeLeaving(module, agoOf)),
    ...modules.filter(({ refusals = 0 }) => refusals > 0).map((module) => describeRefusal(module, nowMs, agoOf)),
    ...(replacement === undefined ? [] : [`A replacement is under way (${replacement.phase}).`]),
    ...(corrections.length === 0
      ? []
      : [`What somebody else changed was brought back ${times(corrections.length)} within an hour.`]),
  ];
}

const times = (count: number): string => (count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`);
const nameOf = ({ alias, size, slot }: ModuleStatus): string => `${alias} (${size}, slot ${slot})`;

function describeLeaving(module: ModuleStatus, agoOf: (time: string) => string): string {
  const since = module.leavingSince === undefined ? '' : ` ${agoOf(module.leavingSince)}`;
  return `The guest was asked for ${nameOf(module)}${since} and still has it.`;
}

function describeRefusal(module: ModuleStatus, nowMs: number, agoOf: (time: string) => string): string {
  const { refusals = 0, refusedAt, retryAfter } = module;
  const last = refusedAt === undefined ? '' : `, last ${agoOf(refusedAt)}`;
  const again =
    retryAfter === undefined || Date.parse(retryAfter) <= nowMs
      ? ''
      : `, and is asked again in ${age(Date.parse(retryAfter) - nowMs)}`;
  return `The guest refused ${nameOf(module)} ${times(refusals)}${last}${again}.`;
}
