/** Certificates and keys in files that may be rotated under a running process. */
import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Clock, Timer } from './clock.ts';
import type { Logger } from './logger.ts';

export type TlsFilePaths = {
  readonly certFile: string;
  readonly keyFile: string;
  /** A bundle; may hold two CAs while one follows the other. */
  readonly caFile: string;
};

/** PEM texts that belong together. */
export type TlsMaterial = {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** When the certificate ends, epoch milliseconds. */
  readonly expiresAtMs: number;
};

export interface TlsFiles {
  /** What is in force. */
  current(): TlsMaterial;
  /** Looks now instead of at the next poll; true when there is something new. */
  refresh(): boolean;
  /** Calls `listener` whenever the material has changed, until the returned function is called. */
  subscribe(listener: (material: TlsMaterial) => void): () => void;
  close(): void;
}

/** Kubernetes swaps symbolic links and admins copy files over: polling sees both, a watch doesn't. */
const pollMs = 10_000;

/** Reads the three files. @throws Error that names what is missing or doesn't fit together */
function readTlsMaterial(paths: TlsFilePaths): TlsMaterial {
  const [cert, key, ca] = [paths.certFile, paths.keyFile, paths.caFile].map((path) => readFileSync(path, 'utf8'));
  if (cert === undefined || key === undefined || ca === undefined) throw new Error('unreachable');
  try {
    createSecureContext({ cert, key, ca });
    const expiresAtMs = Date.parse(new X509Certificate(cert).validTo);
    // createSecureContext takes a file without any certificate for a CA bundle without complaint.
    new X509Certificate(ca);
    return { cert, key, ca, expiresAtMs };
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${paths.certFile}, ${paths.keyFile} and ${paths.caFile} do not fit together: ${problem}`, {
      cause,
    });
  }
}

/**
 * Reads the files now and every 10 s. A set that doesn't fit together (half of a rotation) is passed over until it does.
 * @throws Error when they can't be used at the start
 */
export function openTlsFiles(paths: TlsFilePaths, clock: Clock, logger: Logger): TlsFiles {
  let material = readTlsMaterial(paths);
  const listeners = new Set<(material: TlsMaterial) => void>();
  let timer: Timer;

  const refresh = (): boolean => {
    let fresh: TlsMaterial;
    try {
      fresh = readTlsMaterial(paths);
    } catch (error) {
      logger.warn({ err: error instanceof Error ? error.message : String(error) }, 'certificate files cannot be used');
      return false;
    }
    if (fresh.cert === material.cert && fresh.key === material.key && fresh.ca === material.ca) return false;
    material = fresh;
    logger.info({ expiresAt: new Date(fresh.expiresAtMs).toISOString() }, 'certificate files have changed');
    for (const listener of listeners) listener(material);
    return true;
  };
  const poll = (): void => {
    refresh();
    timer = clock.after(pollMs, poll);
  };
  timer = clock.after(pollMs, poll);

  return {
    current: () => material,
    refresh,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => timer.cancel(),
  };
}
