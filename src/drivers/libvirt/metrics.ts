/** The metrics of an agent on libvirt. Labels come from closed sets. */
import { Gauge, Histogram, type Registry } from 'prom-client';
import { secondsBuckets } from '../../agent/metrics.ts';

export type LibvirtMetrics = {
  readonly calls: Histogram<'procedure' | 'outcome'>;
  /** Questions to guests by what became of them. */
  readonly questions: Histogram<'answer'>;
  readonly connected: Gauge;
};

/** Adds what only an agent on libvirt has: another would show a connection that is down for ever. */
export function declareLibvirtMetrics(registry: Registry): LibvirtMetrics {
  const registers = [registry];
  return {
    calls: new Histogram({
      name: 'dimmer_agent_libvirt_call_duration_seconds',
      help: 'Calls to libvirt by procedure and outcome.',
      labelNames: ['procedure', 'outcome'],
      buckets: secondsBuckets,
      registers,
    }),
    questions: new Histogram({
      name: 'dimmer_agent_guest_question_duration_seconds',
      help: 'Questions what memory a guest has, by the answer: answered, late, absent or busy.',
      labelNames: ['answer'],
      buckets: secondsBuckets,
      registers,
    }),
    connected: new Gauge({
      name: 'dimmer_agent_libvirt_connected',
      help: '1 while libvirt can be reached.',
      registers,
    }),
  };
}
