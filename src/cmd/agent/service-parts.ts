/** What the service of a host is given, whatever its driver and whatever program it runs in. */
import { auditTo } from '../../agent/audit.ts';
import type { EventLog } from '../../agent/event-log.ts';
import type { AgentMetrics } from '../../agent/metrics.ts';
import type { ServiceParts } from '../../agent/service.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { version } from '../version.ts';

export const partsOfService = (
  events: EventLog,
  metrics: AgentMetrics,
  clock: Clock,
  logger: Logger,
): ServiceParts => ({
  ...{ events, clock, logger, audit: auditTo(logger), agentVersion: version },
  onOperation: (operation, outcome, durationMs) =>
    metrics.operations.observe({ operation, outcome }, durationMs / 1000),
});
