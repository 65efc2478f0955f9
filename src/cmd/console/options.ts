/** Where `dimmer console` listens, from its command line. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Given } from '../command-line.ts';

export type Listening = {
  readonly hosts: readonly string[];
  /** 0: a free one. */
  readonly port: number;
  /** PEM; null: plain HTTP, which never leaves this machine. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
};

/** Both, so that nobody else can have one of them at our port: `localhost` may mean either. */
const loopback = ['127.0.0.1', '::1'];

/** @throws Error that names the option */
export function readListening(given: Given): Listening {
  const [address, certFile, keyFile] = ['listen', 'tls-cert-file', 'tls-private-key-file'].map((name) =>
    given.text(name),
  );
  const port = readPort(given.text('port'));
  const isOpen = given.has('let-others-in');
  if (address === null || address === undefined) {
    if (isOpen || certFile !== null || keyFile !== null)
      throw new Error('--listen is missing: only its address needs that');
    return { hosts: loopback, port, tls: null };
  }
  if (isIP(address) === 0) throw new Error(`--listen: '${address.slice(0, 64)}' is not an IP address`);
  if (!isOpen) throw new Error(`--listen: others reach ${address}, too; --let-others-in says that it is meant`);
  if (typeof certFile !== 'string' || typeof keyFile !== 'string') {
    throw new Error(
      '--listen: what leaves this machine is encrypted: --tls-cert-file and --tls-private-key-file are missing',
    );
  }
  const listening = { hosts: [address], port, tls: readTls(certFile, keyFile) };
  const name = linkNameOf(listening);
  if (!namesOf(listening.tls.cert)(name.replace(/^\[|\]$/g, ''))) {
    throw new Error(
      `--tls-cert-file: the certificate is for no name, nor for ${address}: no browser would take the link`,
    );
  }
  return listening;
}

/** @throws Error where they can't be read, are none, or aren't each other's */
function readTls(certFile: string, keyFile: string): NonNullable<Listening['tls']> {
  const tls = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  try {
    createSecureContext(tls);
    // createSecureContext takes a file without any certificate.
    new X509Certificate(tls.cert);
    return tls;
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`--tls-cert-file, --tls-private-key-file: they do not fit together: ${problem}`, { cause });
  }
}

function readPort(text: string | null): number {
  const port = Number(text ?? '0');
  if (Number.isInteger(port) && port >= 0 && port <= 65_535 && text !== '') return port;
  throw new Error(`--port: '${(text ?? '').slice(0, 64)}' is not a port`);
}

/** Whether a certificate is for a name (or an address) that a browser may ask for. */
export function namesOf(cert: string): (name: string) => boolean {
  const certificate = new X509Certificate(cert);
  return (name) =>
    (isIP(name) === 0 ? certificate.checkHost(name, { wildcards: false }) : certificate.checkIP(name)) !== undefined;
}

/** A name for the link. */
export function linkNameOf({ hosts: [host = ''], tls }: Listening): string {
  if (tls === null) return host;
  const names = new X509Certificate(tls.cert).subjectAltName ?? '';
  const [, name = host] = /(?:^|, )DNS:([^*,\s]+)/.exec(names) ?? [];
  return isIP(name) === 6 ? `[${name}]` : name;
}
