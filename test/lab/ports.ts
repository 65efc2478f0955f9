import { once } from 'node:events';
import { createServer, type ListenOptions } from 'node:net';

// Below the range from which the kernel gives ports to outgoing connections (32768 and up, ip(7)), so that a
// server that is stopped for a while finds its port free again.
const FIRST = 20_000;
const LAST = 32_000;

/** Ports of 127.0.0.1 that nobody listens on now, all different, and that no other lab on this machine is given. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let attempt = 0; attempt < 1000 && found.length < count; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if ((await isFree(port)) && (await isOurs(port))) found.push(port);
  }
  if (found.length < count) throw new Error(`no ${count} free ports between ${FIRST} and ${LAST}`);
  return found;
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen({ port, host: '127.0.0.1', exclusive: true });
  server?.close();
  return server !== null;
}

/**
 * Reserves a port among the labs of this machine: between finding it free and listening on it another lab could find
 * it free too. The reservation is an abstract socket (unix(7)), which ends with this process and leaves no file.
 */
async function isOurs(port: number): Promise<boolean> {
  const server = await listen({ path: `\0dimmer-lab-port-${port}` });
  server?.unref();
  return server !== null;
}

async function listen(options: ListenOptions): Promise<ReturnType<typeof createServer> | null> {
  const server = createServer();
  try {
    server.listen(options);
    await once(server, 'listening');
    return server;
  } catch {
    return null;
  }
}
