/** Opens the socket of an endpoint. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { LibvirtEndpoint } from './uri.ts';

/** No socket could be opened. */
export class DialError extends Error {
  override readonly name = 'DialError';
  /** What the operating system said of the first socket that exists, else of the last one: ENOENT, EACCES, ... */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** Opens a connection or rejects with a {@link DialError}. */
export type Dial = (endpoint: LibvirtEndpoint, timeoutMs: number) => Promise<Duplex>;

function openSocket(path: string, timeoutMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const timer = setTimeout(() => socket.destroy(new DialError(`no answer from ${path}`, 'ETIMEDOUT')), timeoutMs);
    const onError = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      reject(new DialError(`${path}: ${error.message}`, error.code ?? 'UNKNOWN'));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

/** Tries the endpoint's sockets in turn. A socket that isn't there, or that nobody listens on, is passed over. */
export const dialEndpoint: Dial = async (endpoint, timeoutMs) => {
  const failures: DialError[] = [];
  for (const path of endpoint.sockets) {
    try {
      return await openSocket(path, timeoutMs);
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      failures.push(error);
    }
  }
  const telling = failures.find((failure) => failure.code !== 'ENOENT') ?? failures.at(-1);
  throw new DialError(failures.map((failure) => failure.message).join('; '), telling?.code ?? 'UNKNOWN');
};
