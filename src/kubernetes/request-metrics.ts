/** Requests to the API server by the names that client-go gives their metrics. */
import { Counter, Histogram, type Registry } from 'prom-client';

/** Hears of every request. `code`: the status of the answer; null: there was none. */
export type RequestObserver = (method: string, host: string, code: number | null, seconds: number) => void;

/** Registers the metrics. `host` is the one API server that the program speaks to. */
export function createRequestMetrics(registry: Registry): RequestObserver {
  const registers = [registry];
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the API server by method and status; <error>: no answer.',
    labelNames: ['code', 'method', 'host'],
    registers,
  });
  const durations = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'How long the API server takes to answer; of a watch, to accept it.',
    labelNames: ['verb', 'host'],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
    registers,
  });
  return (method, host, code, seconds) => {
    requests.inc({ code: code === null ? '<error>' : String(code), method, host });
    durations.observe({ verb: method, host }, seconds);
  };
}
