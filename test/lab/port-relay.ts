import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Daemon, startDaemon } from './daemon.ts';
import { GiveUp, waitFor } from './wait.ts';

/** A port of 127.0.0.1 here that leads to a port in another network namespace. */
export type PortRelay = {
  readonly port: number;
  /** From now on in the network namespace of another process: that of before is gone, or soon will be. */
  readonly moveTo: (pid: number) => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** A UNIX socket is reached from every network namespace that sees its file: one end in there, the other out here. */
const INSIDE = `
  const { connect, createServer } = require('node:net');
  const place = (text) => (/^[0-9]+$/.test(text) ? { host: '127.0.0.1', port: Number(text) } : { path: text });
  const [listen, target] = process.argv.slice(1).map(place);
  createServer((from) => {
    const to = connect(target);
    const end = () => { from.destroy(); to.destroy(); };
    for (const socket of [from, to]) socket.on('error', end).on('close', end);
    from.pipe(to).pipe(from);
  }).listen(listen);
`;

type Place = { readonly host: string; readonly port: number } | { readonly path: string };
type RelayOptions = { readonly pid: number; readonly port: number; readonly directory: string };

const startInside = ({ pid, port, directory }: RelayOptions, listen: string, target: string): Promise<Daemon> =>
  startDaemon({
    name: `the relay of port ${port}`,
    command: 'nsenter',
    args: [`--target=${pid}`, '--net', '--', process.execPath, '--eval', INSIDE, '--', listen, target],
    logFile: join(directory, `port-${port}.log`),
  });

async function startOutside(listen: Place, target: Place): Promise<{ port: number; stop: () => void }> {
  const open = new Set<Socket>();
  const server = createServer((from) => {
    const to = connect(target);
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
  server.listen(listen);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stop: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Leads to a port of 127.0.0.1 in the network namespace of the process `pid`, whether or not somebody listens there. */
export async function startPortRelay(options: RelayOptions): Promise<PortRelay> {
  const path = join(options.directory, `port-${options.port}.sock`);
  const begin = async (pid: number): Promise<Daemon> => {
    rmSync(path, { force: true });
    const started = await startInside({ ...options, pid }, path, String(options.port));
    try {
      await waitFor(
        () => {
          if (started.ended() !== null) throw new GiveUp(`${started.name} ended\n${started.logTail()}`);
          return existsSync(path);
        },
        { what: started.name, timeoutMs: 20_000, intervalMs: 20, details: started.logTail },
      );
      return started;
    } catch (error) {
      await started.stop();
      throw error;
    }
  };
  let inside = await begin(options.pid);
  try {
    const { port, stop } = await startOutside({ host: '127.0.0.1', port: 0 }, { path });
    return {
      port,
      moveTo: async (pid) => {
        await inside.stop();
        inside = await begin(pid);
      },
      stop: async () => {
        stop();
        await inside.stop();
      },
    };
  } catch (error) {
    await inside.stop();
    throw error;
  }
}

/** The other way round: makes a port of 127.0.0.1 out here the same port in there. */
export async function startPortShow(options: RelayOptions): Promise<PortRelay> {
  const { port, directory } = options;
  const path = join(directory, `port-${port}.sock`);
  const outside = await startOutside({ path }, { host: '127.0.0.1', port });
  const begin = (pid: number): Promise<Daemon> => startInside({ ...options, pid }, String(port), path);
  let inside = await begin(options.pid);
  return {
    port,
    moveTo: async (pid) => {
      await inside.stop();
      inside = await begin(pid);
    },
    stop: async () => {
      outside.stop();
      await inside.stop();
    },
  };
}
