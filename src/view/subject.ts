/** What every view says of a resource first: its name, its VM, and how it is with it. Pure. */
import { findCondition } from '../api/v1alpha1/conditions.ts';
import { isReason, reasonTable } from '../api/v1alpha1/reasons.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { cut, type Style } from './layout.ts';
import { anchorOf, isCall } from './runbook.ts';
import { runbookOf } from './runbooks/all.ts';

/** `default/web`. */
export const fullName = ({ metadata }: VirtualMachineMemory): string => `${metadata.namespace}/${metadata.name}`;

/** The VM as the resource names it. */
export const machineOf = ({ spec, status }: VirtualMachineMemory): string =>
  status?.virtualMachine?.name ?? spec.virtualMachine.name ?? spec.virtualMachine.uuid ?? '?';

/** The VM in one line. */
export function titleOf(resource: VirtualMachineMemory, width: number): string {
  const { status = {} } = resource;
  const where = status.hostName === undefined ? '' : ` on ${status.hostName}`;
  const state = status.virtualMachine === undefined ? '' : `, ${status.virtualMachine.state}`;
  return cut(`${fullName(resource)}: VM ${machineOf(resource)}${where}${state}`, width);
}

export type Readiness = {
  readonly ready: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  /** RFC 3339: since when Ready is what it is; null: nobody has looked yet. */
  readonly since: string | null;
};

/** What Ready says, or that nobody has looked yet. */
export function readinessOf({ metadata, status }: VirtualMachineMemory): Readiness {
  const condition = findCondition(status?.conditions, 'Ready');
  if (condition === undefined || status?.observedGeneration !== metadata.generation) {
    const message = 'what is wanted now has not been looked at yet';
    return { ready: 'Unknown', reason: 'NotLookedAtYet', message, since: null };
  }
  const { reason, message, lastTransitionTime } = condition;
  return { ready: condition.status, reason, message, since: lastTransitionTime };
}

export const styleOf = ({ ready }: Readiness): Style =>
  ready === 'True' ? 'green' : ready === 'False' ? 'red' : 'yellow';

/** What lies in the way; the message begins with why. */
export type Obstacle = { readonly label: 'hotplug' | 'restart' | 'next boot'; readonly message: string };

/** What is in the way of any size, of this one until a restart, or of keeping it through one; nothing that Ready says already. */
export function obstaclesOf(resource: VirtualMachineMemory): readonly Obstacle[] {
  const ready = readinessOf(resource);
  const [hotplug, restart, persisted] = ['HotplugReady', 'RestartRequired', 'Persisted'].map((type) =>
    findCondition(resource.status?.conditions, type),
  );
  const told: readonly (Obstacle | null)[] = [
    hotplug?.status === 'False' ? { label: 'hotplug', message: `${hotplug.reason}: ${hotplug.message}` } : null,
    restart?.status === 'True' ? { label: 'restart', message: `needed: ${restart.message}` } : null,
    // While it is being resized that is no news.
    persisted?.status === 'False' && persisted.reason !== 'NotConverged'
      ? { label: 'next boot', message: `${persisted.reason}: ${persisted.message}` }
      : null,
  ];
  return told.filter((obstacle) => obstacle !== null).filter(({ message }) => !message.endsWith(`: ${ready.message}`));
}

/** What to do about a reason; null: there is nothing to do, or it is none that is known. */
export const adviceFor = (reason: string): string | null =>
  // As it is written for a document; a terminal shows no code.
  runbookOf(reason)?.todo?.replaceAll('`', "'") ?? null;

/** Where there is more about a reason that needs somebody, or holds something up; null: there is no more. */
export function moreAbout(reason: string): string | null {
  const runbook = runbookOf(reason);
  return runbook !== undefined && isCall(runbook) ? anchorOf(reason) : null;
}

/** Whether Dimmer goes on by itself: nobody's help is needed, though it may take long. */
export const goesOn = (reason: string): boolean => isReason(reason) && !reasonTable[reason].stalled;
