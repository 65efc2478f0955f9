import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createAgentMetrics } from '../../../src/agent/metrics.ts';
import { declareProcessMetrics } from '../../../src/runtime/process-metrics.ts';

it('a program says which it is, and no gauge is called like a counter', async () => {
  const registry = new Registry();
  declareProcessMetrics(registry, 'controller', '1.2.3');
  const text = await registry.metrics();
  expect(text).toContain('dimmer_build_info{component="controller",version="1.2.3"} 1\n');
  const gauges = [...text.matchAll(/^# TYPE (\S+) gauge$/gm)].map(([, name]) => name);
  expect(gauges).toContain('nodejs_active_resources');
  expect(gauges.filter((name) => name?.includes('eventloop'))).toEqual(['nodejs_eventloop_lag_seconds']);
  expect(gauges.filter((name) => name?.endsWith('_total'))).toEqual([]);
});

it('an agent without a certificate has none that ended in 1970', async () => {
  const { registry, certificateExpiry } = createAgentMetrics('1.2.3', () => 0, 'standalone');
  const line = async (): Promise<string | undefined> =>
    /^dimmer_agent_certificate_expiry_timestamp_seconds.*$/m.exec(await registry.metrics())?.[0];
  expect(await line()).toBeUndefined();
  certificateExpiry.set(1_800_000_000);
  expect(await line()).toBe('dimmer_agent_certificate_expiry_timestamp_seconds 1800000000');
  expect(await registry.metrics()).toContain('dimmer_build_info{component="standalone",version="1.2.3"} 1\n');
});
