/** Plain HTTP for probes and Prometheus: /healthz, /readyz, /metrics. Meant for localhost or the cluster's network. */
import { createServer, type Server } from 'node:http';
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
  const server: Server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain'): void => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    if (options.probes && request.url === '/healthz') answer(200, 'ok\n');
    else if (options.probes && request.url === '/readyz') {
      if (options.isReady()) answer(200, 'ok\n');
      else answer(503, 'not ready\n');
    } else if (options.registry !== null && request.url === '/metrics') {
      const { registry } = options;
      registry.metrics().then(
        (text) => answer(200, text, registry.contentType),
        (error: unknown) => answer(500, `${String(error)}\n`),
      );
    } else answer(404, 'not found\n');
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
