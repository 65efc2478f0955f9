/** Opens a stream to an endpoint. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { dialTls } from './dial-tls.ts';
import { DialError } from './dial-error.ts';
import type { LibvirtEndpoint } from './uri.ts';

/** Opens a connection or rejects with a {@link DialError}. */
export type Dial = (endpoint: LibvirtEndpoint, timeoutMs: number) => Promise<Duplex>;

function openSocket(path: string, timeoutMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const timer = setTimeout(() => socket.destroy(new DialError(`${path}: no answer`, 'ETIMEDOUT')), timeoutMs);
    const onError = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      reject(new DialError(error.message.includes(path) ? error.message : `${path}: ${error.message}`, error.code));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

/** Tries sockets in turn. One that isn't there, or that nobody listens on, is passed over. */
async function dialUnix(sockets: readonly string[], timeoutMs: number): Promise<Duplex> {
  const failures: DialError[] = [];
  for (const path of sockets) {
    try {
      return await openSocket(path, timeoutMs);
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      failures.push(error);
    }
  }
  const telling = failures.find((failure) => failure.code !== 'ENOENT') ?? failures.at(-1);
  throw new DialError(failures.map((failure) => failure.message).join('; '), telling?.code);
}

/** By UNIX socket or TLS, as the endpoint says. */
export const dialEndpoint: Dial = (endpoint, timeoutMs) =>
  endpoint.transport === 'unix' ? dialUnix(endpoint.sockets, timeoutMs) : dialTls(endpoint, timeoutMs);
