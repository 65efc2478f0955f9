/** What `dimmer console` opens itself to others with: an address that they reach, and a certificate for the names of the link. */
import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createAuthority, createCertificate } from '../../../src/pki/certificate.ts';
import type { CertificateName } from '../../../src/pki/names.ts';

/** An address of this machine that others reach; where it has none, one that its own programs reach, by the same rules. */
export const reachedByOthers: string =
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.2';

/** PEM. */
export type ServerCertificate = {
  readonly ca: string;
  readonly certFile: string;
  readonly keyFile: string;
};

/** Good for today, and for these names; the files are in `folder`. */
export function serverCertificate(folder: string, name: string, names: readonly CertificateName[]): ServerCertificate {
  const day = 24 * 60 * 60 * 1000;
  const dates = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) };
  const authority = createAuthority({ commonName: 'the CA of a test', names: [], ...dates });
  const made = createCertificate({ role: 'server', commonName: name, names, ...dates }, authority);
  const [certFile, keyFile] = ['crt', 'key'].map((kind) => join(folder, `${name}.${kind}`)) as [string, string];
  writeFileSync(certFile, made.certificate);
  writeFileSync(keyFile, made.key, { mode: 0o600 });
  return { ca: authority.certificate, certFile, keyFile };
}

/** The command line that opens it to others. */
export const openToOthers = (
  { certFile, keyFile }: ServerCertificate,
  address = reachedByOthers,
): readonly string[] => [
  ...['--listen', address, '--let-others-in'],
  ...['--tls-cert-file', certFile, '--tls-private-key-file', keyFile],
];
