/** libvirt's failures in the terms of the error table: by coarse class, since texts are never parsed. */
import { hostError, type HostError } from '../host/errors.ts';
import { isLibvirtError, isOutcomeUnknown, type LibvirtError } from '../libvirt/domain/errors.ts';

/** What a failed call to libvirt means for the caller. Anything that isn't a failure of libvirt is a fault of ours. */
export function toHostError(error: unknown): HostError {
  if (!isLibvirtError(error)) return hostError('internal-error', 'The agent failed; its log has the details', error);
  if (isOutcomeUnknown(error)) {
    return hostError('outcome-unknown', `libvirt did not answer: ${error.message}`, error);
  }
  switch (error.kind) {
    case 'call':
      return callError(error);
    case 'disconnected':
    case 'deadline':
      return hostError('hypervisor-unreachable', `libvirt cannot be reached: ${error.message}`, error);
    case 'protocol':
      return hostError('internal-error', `libvirt and the agent do not understand each other: ${error.message}`, error);
  }
}

function callError(error: Extract<LibvirtError, { readonly kind: 'call' }>): HostError {
  const text = `libvirt: ${error.text} (error ${error.code})`;
  switch (error.class) {
    case 'DomainNotFound':
      return hostError('not-found', 'There is no such VM', error);
    case 'InvalidState':
      return hostError('not-running', text, error);
    case 'Busy':
      return hostError('busy', text, error);
    case 'Unsupported':
      return hostError('hotplug-unsupported', text, error);
    case 'Forbidden':
    case 'Rejected':
    case 'DeviceNotFound':
    case 'MetadataNotFound':
      return hostError('rejected', text, error);
    case 'Failed':
      return hostError('hypervisor-failed', text, error);
  }
}
