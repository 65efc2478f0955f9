/** What an error of a host means for a resource. */
import type { Reason } from '../../api/v1alpha1/reasons.ts';
import type { HostError } from '../../host/errors.ts';

/** What is said and done about an error that can't be settled by observing again. */
export type ErrorVerdict = { readonly reason: Reason; readonly message: string; readonly retry: boolean };

/**
 * The reason for an error. Codes that only mean "observe again" end up here when observing again didn't help:
 * the VM keeps changing under our hands.
 */
export function explainHostError(error: HostError, hostName: string): ErrorVerdict {
  const said = (reason: Reason, retry: boolean, prefix = ''): ErrorVerdict => ({
    reason,
    message: `${prefix}${error.message}`,
    retry,
  });
  switch (error.code) {
    case 'unreachable':
    case 'timeout':
    case 'bad-answer':
    case 'hypervisor-unreachable':
    case 'internal-error':
      return said('HostUnreachable', true, `host ${hostName}: `);
    case 'tls-rejected':
    case 'client-not-allowed':
      return said('HostUnauthorized', true, `host ${hostName}: `);
    case 'too-many-requests':
      return said('HostBusy', true, `host ${hostName}: `);
    case 'busy':
    case 'not-leader':
    case 'stale-revision':
    case 'old-generation':
    case 'no-such-module':
    case 'unplug-unsettled':
    case 'outcome-unknown':
      return said('VMBusy', true);
    case 'not-running':
      return said('VMNotRunning', true);
    case 'not-found':
      return said('VMNotFoundOrNotAllowed', false);
    case 'claimed-by-other':
      return said('ClaimedByOther', false);
    case 'hotplug-unsupported':
      return said('HotplugUnsupported', false);
    case 'guest-memory-in-use':
      return said('GuestMemoryInUse', true);
    case 'guest-memory-unknown':
      return said('GuestMemoryUnknown', true);
    case 'guest-late':
      return said('WaitingForGuest', true);
    case 'insufficient-host-memory':
      return said('InsufficientHostMemory', true, `host ${hostName}: `);
    case 'hugepages-unavailable':
      return said('HugepagesUnavailable', true, `host ${hostName}: `);
    case 'namespace-limit':
      return said('NamespaceLimitReached', true, `host ${hostName}: `);
    case 'rejected':
      return said('HypervisorRejected', false);
    case 'hypervisor-failed':
      return said('HypervisorFailed', true);
    case 'bad-request':
    case 'no-such-route':
    case 'method-not-allowed':
    case 'body-too-large':
    case 'revision-required':
      return said(
        'UnsupportedAgent',
        false,
        `host ${hostName}: the agent doesn't know what this controller asks for; bring both to one version: `,
      );
    default:
      return error.code satisfies never;
  }
}
