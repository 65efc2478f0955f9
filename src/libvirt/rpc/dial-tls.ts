/** libvirt's RPC over TLS. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { modernTls } from '../../runtime/tls-suites.ts';
import { DialError } from './dial-error.ts';
import type { TlsEndpoint } from './uri.ts';

/** After the TLS handshake the daemon says so with one byte when it takes the client (virnettlscontext.c). */
const accepted = 1;

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    throw new DialError(message, code);
  }
}

/**
 * Opens a TLS connection with the client's certificate; the daemon's is verified against the CA and the host's name.
 * The files are read anew each time, so that rotated ones count at the next connect.
 * @throws DialError
 */
export async function dialTls(endpoint: TlsEndpoint, timeoutMs: number): Promise<Duplex> {
  const { host, port, files } = endpoint;
  const [ca, cert, key] = await Promise.all([readPem(files.ca), readPem(files.cert), readPem(files.key)]);
  return new Promise((resolve, reject) => {
    const where = `${host}:${port}`;
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = connect({ host, port, ca, cert, key, ...modernTls, ...name });
    const timer = setTimeout(() => socket.destroy(new DialError(`${where}: no answer`, 'ETIMEDOUT')), timeoutMs);
    let handshakeDone = false;

    const settle = (error: DialError | null): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      if (error === null) {
        resolve(socket);
      } else {
        socket.on('error', () => undefined); // whatever else it says no longer matters
        socket.destroy();
        reject(error);
      }
    };
    const refused = new DialError(`${where}: the daemon does not take our certificate`, 'TLS_REFUSED');
    socket.once('secureConnect', () => (handshakeDone = true));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // With TLS 1.3 our certificate is judged after our side of the handshake is done.
      settle(
        handshakeDone && error.code !== 'ETIMEDOUT' ? refused : new DialError(`${where}: ${error.message}`, error.code),
      );
    });
    socket.once('close', () => {
      settle(handshakeDone ? refused : new DialError(`${where}: closed in the middle of the handshake`, 'ECONNRESET'));
    });
    socket.on('readable', () => {
      const byte = socket.read(1) as Buffer | null;
      if (byte !== null) settle(byte[0] === accepted ? null : refused);
    });
  });
}
