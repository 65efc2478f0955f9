/** libvirt's failures in the classes of the driver port. */
import { DriverError, type DriverErrorClass } from '../../agent/driver-error.ts';
import { type CallErrorClass, isLibvirtError, isOutcomeUnknown } from '../../libvirt/domain/errors.ts';

/** libvirt knows of metadata that aren't there; to the agent that is a no like another. */
const toClass = (callClass: CallErrorClass): DriverErrorClass =>
  callClass === 'MetadataNotFound' ? 'Rejected' : callClass;

/** A failed call in the agent's words. Anything that isn't a failure of libvirt stays what it is. */
export function toDriverError(error: unknown): unknown {
  if (!isLibvirtError(error)) return error;
  if (isOutcomeUnknown(error)) {
    return new DriverError('OutcomeUnknown', `libvirt did not answer: ${error.message}`, error);
  }
  switch (error.kind) {
    case 'call':
      return new DriverError(toClass(error.class), `libvirt: ${error.text} (error ${error.code})`, error);
    case 'disconnected':
    case 'deadline':
      return new DriverError('Unreachable', `libvirt cannot be reached: ${error.message}`, error);
    case 'protocol':
      return new DriverError(
        'NotUnderstood',
        `libvirt and the agent do not understand each other: ${error.message}`,
        error,
      );
  }
}
