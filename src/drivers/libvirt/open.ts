/** `dimmer agent --driver libvirt`: the VMs are those of a libvirt daemon. */
import type { Admits } from '../../agent/admission.ts';
import { createHostService } from '../../agent/host-service.ts';
import type { AgentMetrics } from '../../agent/metrics.ts';
import type { RunnableService, ServiceParts } from '../../agent/service.ts';
import type { LibvirtEndpoint } from '../../libvirt/rpc/uri.ts';
import { connectHypervisor } from './connect.ts';
import { createLibvirtDriver } from './driver.ts';
import { declareLibvirtMetrics } from './metrics.ts';

/**
 * The service on the daemon at `endpoint`, with metrics of the connection. Nothing is connected before `start`.
 * @param asksGuestAgents whether the QEMU guest agents are asked, which taints the domains
 */
export function openLibvirtService(
  endpoint: LibvirtEndpoint,
  admits: Admits,
  parts: ServiceParts,
  { registry }: AgentMetrics,
  asksGuestAgents: boolean,
): RunnableService {
  const metrics = declareLibvirtMetrics(registry);
  const hypervisor = connectHypervisor(endpoint, parts.logger, ({ procedure, outcome, durationMs }) =>
    metrics.calls.observe({ procedure, outcome }, durationMs / 1000),
  );
  hypervisor.onConnection((change) => metrics.connected.set(change.kind === 'connected' ? 1 : 0));
  return createHostService({
    ...{ ...parts, driver: createLibvirtDriver(hypervisor), admits, asksGuestAgents },
    onQuestion: (answer, durationMs) => metrics.questions.observe({ answer }, durationMs / 1000),
  });
}
