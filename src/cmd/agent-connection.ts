/** Connections to the agents of hosts, as whoever reconciles needs them. */
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import { hostError } from '../host/errors.ts';
import { createHttpsHost } from '../host/http/client.ts';
import type { Host } from '../host/port.ts';
import { createUnusableHost } from '../host/unusable-host.ts';
import { systemClock } from '../runtime/clock.ts';
import type { TlsFiles } from '../runtime/tls-files.ts';

/** A connection for a host; one that can't be made says so in the host's status instead of ending the process. */
export function connectToAgent(resource: HypervisorHost, tls: TlsFiles): Host {
  const { address, tlsServerName } = resource.spec;
  try {
    return createHttpsHost({ address, tlsServerName, tls, clock: systemClock });
  } catch (error) {
    const { name } = resource.metadata;
    return createUnusableHost(hostError('unreachable', `spec.address of HypervisorHost ${name} can't be used`, error));
  }
}
