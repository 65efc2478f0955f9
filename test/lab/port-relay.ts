import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { startDaemon } from './daemon.ts';
import { GiveUp, waitFor } from './wait.ts';

/** A port of 127.0.0.1 here that leads to a port in another network namespace. */
export type PortRelay = { readonly port: number; readonly stop: () => Promise<void> };

/** A UNIX socket is reached from every network namespace that sees its file: one end in there, the other out here. */
const INSIDE = `
  const { connect, createServer } = require('node:net');
  const [path, port] = process.argv.slice(1);
  createServer((from) => {
    const to = connect({ host: '127.0.0.1', port: Number(port) });
    const end = () => { from.destroy(); to.destroy(); };
    for (const socket of [from, to]) socket.on('error', end).on('close', end);
    from.pipe(to).pipe(from);
  }).listen(path);
`;

/** Leads to a port of 127.0.0.1 in the network namespace of the process `pid`, whether or not somebody listens there. */
export async function startPortRelay(options: {
  readonly pid: number;
  readonly port: number;
  readonly directory: string;
}): Promise<PortRelay> {
  const { pid, port, directory } = options;
  const path = join(directory, `port-${port}.sock`);
  const inside = await startDaemon({
    name: `the relay to port ${port}`,
    command: 'nsenter',
    args: [`--target=${pid}`, '--net', '--', process.execPath, '--eval', INSIDE, '--', path, String(port)],
    logFile: join(directory, `port-${port}.log`),
  });
  try {
    await waitFor(
      () => {
        if (inside.ended() !== null) throw new GiveUp(`${inside.name} ended\n${inside.logTail()}`);
        return existsSync(path);
      },
      { what: inside.name, timeoutMs: 20_000, intervalMs: 20, details: inside.logTail },
    );
  } catch (error) {
    await inside.stop();
    throw error;
  }
  const open = new Set<Socket>();
  const server = createServer((from) => {
    const to = connect({ path });
    const end = (): void => {
      for (const socket of [from, to]) {
        socket.destroy();
        open.delete(socket);
      }
    };
    for (const socket of [from, to]) {
      open.add(socket);
      socket.on('error', end).on('close', end);
    }
    from.pipe(to).pipe(from);
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await inside.stop();
    },
  };
}
