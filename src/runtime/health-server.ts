/** Plain HTTP for probes and Prometheus: /healthz, /readyz, /metrics. Meant for localhost or the cluster's network. */
import { createServer, type OutgoingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export type HealthServerOptions = {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  /** Whether the process can do its work now. */
  readonly isReady: () => boolean;
  /** null: this address serves no metrics. */
  readonly registry: Registry | null;
  /** Whether this address answers probes. */
  readonly probes: boolean;
};

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens. @throws the system's error when the address can't be had */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const { registry, probes, isReady } = options;
  const server: Server = createServer((request, response) => {
    const answer = (status: number, body: string, headers: OutgoingHttpHeaders = {}): void => {
      response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body);
    };
    // Judged without its query: probes ask for ?verbose, scrapers add parameters.
    const path = (request.url ?? '').split('?', 1)[0];
    const isServed = path === '/metrics' ? registry !== null : probes && (path === '/healthz' || path === '/readyz');
    if (!isServed) answer(404, 'not found\n');
    else if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, 'method not allowed\n', { allow: 'GET, HEAD' });
    } else if (path === '/metrics' && registry !== null) {
      registry.metrics().then(
        (text) => answer(200, text, { 'content-type': registry.contentType }),
        (error: unknown) => answer(500, `${String(error)}\n`),
      );
    } else if (path === '/healthz' || isReady()) answer(200, 'ok\n');
    else answer(503, 'not ready\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
