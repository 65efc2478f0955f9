/** `--driver simulated`: the VMs exist only in this process, and end with it, or live in a file. */
import { randomUUID } from 'node:crypto';
import type { Admits } from '../../agent/admission.ts';
import type { RunnableService, ServiceParts } from '../../agent/service.ts';
import { demoDomains } from '../../host/simulated/demo-domains.ts';
import { type DomainNumbers, memoryForNumbered, numberedDomains } from '../../host/simulated/numbered-domains.ts';
import { createSimulatedHost } from '../../host/simulated/simulated-host.ts';
import { keepDomains, readKeptDomains } from './kept-domains.ts';
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

/**
 * The same over VMs that outlast this process, in a file: what it did to them is as it was when it comes back.
 * `which`: numbers, or the VMs of the demo.
 */
export function openKeptSimulatedService(
  which: DomainNumbers | 'demo',
  admits: Admits,
  parts: ServiceParts,
  file: string,
): RunnableService {
  const specs = (which === 'demo' ? demoDomains : numberedDomains(which)).filter(({ name }) => admits(name));
  const before = readKeptDomains(file);
  const id = before?.id ?? randomUUID();
  const host = createSimulatedHost({
    clock: parts.clock,
    domains: specs,
    kept: (before?.domains ?? []).filter(({ uuid }) => specs.some((spec) => spec.uuid === uuid)),
    id,
    // The guests of the demo take their time, so that there is something to see.
    ...(which === 'demo' ? { removalMs: 400, onlineMs: 250 } : { totalMemory: memoryForNumbered(which) }),
  });
  return createSimulatedService(
    keepDomains(
      host,
      id,
      specs.map(({ uuid }) => uuid),
      file,
      parts.logger,
    ),
    parts,
  );
}
