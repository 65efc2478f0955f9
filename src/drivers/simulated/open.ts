/** `dimmer agent --driver simulated`: the VMs exist only in this process, and end with it. */
import { randomUUID } from 'node:crypto';
import type { Admits } from '../../agent/admission.ts';
import type { RunnableService, ServiceParts } from '../../agent/service.ts';
import { type DomainNumbers, memoryForNumbered, numberedDomains } from '../../host/simulated/numbered-domains.ts';
import { createSimulatedHost } from '../../host/simulated/simulated-host.ts';
import { createSimulatedService } from './service.ts';

/** The service over a host with the VMs of those numbers, as far as they are admitted. */
export function openSimulatedService(numbers: DomainNumbers, admits: Admits, parts: ServiceParts): RunnableService {
  const host = createSimulatedHost({
    clock: parts.clock,
    domains: numberedDomains(numbers).filter(({ name }) => admits(name)),
    totalMemory: memoryForNumbered(numbers),
    // The VMs of another process with the same numbers are other runs of them.
    id: randomUUID(),
  });
  return createSimulatedService(host, parts);
}
