/** What a reconcile begins with, from the resource as it is. */
import {
  observeRequestedAtAnnotation,
  pausedAnnotation,
  reconcileRequestedAtAnnotation,
} from '../../api/v1alpha1/meta.ts';
import { cutText, memoryStatusBounds } from '../../api/v1alpha1/bounds.ts';
import { type DesiredMemory, parseSpec } from '../../api/v1alpha1/spec.ts';
import type { VirtualMachineMemory } from '../../api/v1alpha1/virtual-machine-memory.ts';
import type { Result } from '../../memory/result.ts';
import { keyOf } from '../../runtime/resources.ts';
import type { ObserveRequests } from './observe-requests.ts';
import { findDeadlineMs } from './release.ts';
import { type Mode, ReconcileScope } from './scope.ts';
import { type Unwritten, withUnwritten } from './unwritten.ts';

type OpenContext = {
  readonly unwritten: Unwritten;
  readonly observeRequests: ObserveRequests;
  /** `--observe-only`: nothing is ever changed. */
  readonly observeOnly: boolean;
};

export function openScope(resource: VirtualMachineMemory, context: OpenContext): ReconcileScope {
  const { status = {} } = resource;
  const desired = parseSpec(resource.spec);
  const kept = context.unwritten.find(resource);
  const pausedBy = findPause(resource, context.observeOnly);
  const deadlineMs = findDeadlineMs(resource.metadata, desired);
  return new ReconcileScope({
    resource,
    desired,
    mode: computeMode(desired, pausedBy, deadlineMs !== null),
    pausedBy,
    deadlineMs,
    requestedAt: requestIn(resource, reconcileRequestedAtAnnotation),
    observeRequestedAt: context.observeRequests.dueInMs(keyOf(resource)) > 0 ? undefined : findUnheeded(resource),
    previous: withUnwritten(status, kept),
    told: kept?.told ?? status,
  });
}

/** The value of an annotation that asks for something, as the status repeats it. */
function requestIn({ metadata }: VirtualMachineMemory, annotation: string): string | undefined {
  const value = metadata.annotations?.[annotation];
  return value === undefined ? undefined : cutText(value, memoryStatusBounds.lastHandledReconcileAt);
}

/** The request for a look that the status doesn't answer yet; undefined: there is none. */
export function findUnheeded(resource: VirtualMachineMemory | undefined): string | undefined {
  const request = resource && requestIn(resource, observeRequestedAtAnnotation);
  return request === resource?.status?.lastHandledObserveAt ? undefined : request;
}

function computeMode(desired: Result<DesiredMemory, string>, pausedBy: string | null, isDeleted: boolean): Mode {
  // What is to leave before a deletion is to leave whatever size was wanted.
  if (!desired.ok || (desired.value.memory === null && !isDeleted)) return { kind: 'observe' };
  return pausedBy === null ? { kind: 'act' } : { kind: 'paused', by: pausedBy };
}

/** All that pauses a resource, in words; null: nothing. */
function findPause({ metadata, spec }: VirtualMachineMemory, observeOnly: boolean): string | null {
  const annotation = metadata.annotations?.[pausedAnnotation];
  const by = [
    ...(observeOnly ? ['--observe-only'] : []),
    ...(spec.paused === true ? ['spec.paused'] : []),
    ...(annotation !== undefined && annotation !== 'false' ? [`annotation ${pausedAnnotation}`] : []),
  ];
  return by.length === 0 ? null : by.join(' and ');
}
