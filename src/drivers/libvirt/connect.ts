/** A hypervisor over libvirt's own protocol. */
import type { CallObservation } from '../../libvirt/rpc/call-table.ts';
import { dialEndpoint } from '../../libvirt/rpc/dial.ts';
import { createHypervisor, type Hypervisor } from '../../libvirt/domain/hypervisor.ts';
import { Session } from '../../libvirt/rpc/session.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { LibvirtEndpoint } from '../../libvirt/rpc/uri.ts';
import type { Logger } from '../../runtime/logger.ts';

/** Nothing is connected before `start`. */
export function connectHypervisor(
  endpoint: LibvirtEndpoint,
  logger: Logger,
  onCall?: (observation: CallObservation) => void,
): Hypervisor {
  return createHypervisor(
    new Session({
      endpoint,
      dial: dialEndpoint,
      clock: systemClock,
      random: Math.random,
      ...(onCall === undefined ? {} : { onCall }),
      onListenerFault: (error) => {
        logger.error({ err: error }, 'libvirt event handler failed');
      },
    }),
  );
}
