/** How a call of a driver fails: a closed union of classes. Texts are for people and are never parsed. */
import { hostError, type HostError } from '../host/errors.ts';

/** Coarse, since hypervisors give one code to many conditions. */
export type DriverErrorClass =
  /** There is no such domain. */
  | 'DomainNotFound'
  /** There is no such device. */
  | 'DeviceNotFound'
  /** The domain is in the wrong state, mostly: it isn't running. */
  | 'InvalidState'
  /** Somebody else held the domain too long; asking again later is sensible. */
  | 'Busy'
  /** The agent may not do it. */
  | 'Forbidden'
  /** What was asked makes no sense for this domain; asking again gives the same answer. */
  | 'Rejected'
  /** This hypervisor can't do it at all. */
  | 'Unsupported'
  /** The hypervisor answered with anything else, "already gone" and "QEMU died" included: observe. */
  | 'Failed'
  /** The call was never sent. */
  | 'Unreachable'
  /** It was sent and there is no answer: what was asked may have been done, or may still be done. */
  | 'OutcomeUnknown'
  /** Agent and hypervisor don't understand each other, so that it was never sent. */
  | 'NotUnderstood';

/** Everything that a driver rejects with. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly class: DriverErrorClass;

  /** @param message for people, with the name of the driver */
  constructor(errorClass: DriverErrorClass, message: string, cause?: unknown) {
    super(message, { cause });
    this.class = errorClass;
  }
}

/** Whether a call failed with one of those classes. */
export const isDriverError = (error: unknown, ...classes: readonly DriverErrorClass[]): error is DriverError =>
  error instanceof DriverError && (classes.length === 0 || classes.includes(error.class));

/** Whether the hypervisor answered with a no: nothing was done, and nothing will be. */
export function isAnswered(error: unknown): boolean {
  return error instanceof DriverError && !isDriverError(error, 'Unreachable', 'OutcomeUnknown', 'NotUnderstood');
}

/** What a failed call means for the caller. Anything that isn't a failure of the driver is a fault of ours. */
export function toHostError(error: unknown): HostError {
  if (!(error instanceof DriverError)) {
    return hostError('internal-error', 'The agent failed; its log has the details', error);
  }
  switch (error.class) {
    case 'DomainNotFound':
      return hostError('not-found', 'There is no such VM', error);
    case 'InvalidState':
      return hostError('not-running', error.message, error);
    case 'Busy':
      return hostError('busy', error.message, error);
    case 'Unsupported':
      return hostError('hotplug-unsupported', error.message, error);
    case 'Unreachable':
      return hostError('hypervisor-unreachable', error.message, error);
    case 'OutcomeUnknown':
      return hostError('outcome-unknown', error.message, error);
    case 'NotUnderstood':
      return hostError('internal-error', error.message, error);
    case 'Failed':
      return hostError('hypervisor-failed', error.message, error);
    case 'Forbidden':
    case 'Rejected':
    case 'DeviceNotFound':
      return hostError('rejected', error.message, error);
  }
}
