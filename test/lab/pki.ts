import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runOk } from './run.ts';

export type CertificateRequest = {
  /** Common name, and the name of the files. */
  readonly name: string;
  /** Kubernetes reads a client's groups from here. */
  readonly organization?: string;
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
  /** A day ago when left out. */
  readonly notBefore?: Date;
  /** In a year when left out; may lie in the past, for tests of expired certificates. */
  readonly notAfter?: Date;
};

/** Paths of PEM files; both keys and certificates are elliptic-curve ones (P-256). */
export type IssuedCertificate = { readonly certFile: string; readonly keyFile: string };

/** A certificate authority of the lab. */
export type Pki = {
  readonly directory: string;
  readonly caFile: string;
  readonly caPem: string;
  /** Makes a key and a certificate good for servers and clients. The same name again replaces the files. */
  readonly issue: (request: CertificateRequest) => Promise<IssuedCertificate>;
};

const DAY_MS = 24 * 60 * 60 * 1000;

/** Makes a new certificate authority with its files in `directory`, which is created (only for its owner) if need be. */
export async function createPki(directory: string, name = 'dimmer-lab-ca'): Promise<Pki> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const caFile = join(directory, 'ca.crt');
  const caKeyFile = join(directory, 'ca.key');
  await generateKey(caKeyFile);
  await runOk('openssl', [
    ...['req', '-x509', '-new', '-key', caKeyFile, '-out', caFile, '-days', '3650', '-subj', `/CN=${name}`],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  ]);
  return pkiIn(directory);
}

/** The same authority as that in `from`, with a directory of its own for what it issues. */
export function copyPki(from: string, directory: string): Pki {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const name of ['ca.crt', 'ca.key']) copyFileSync(join(from, name), join(directory, name));
  return pkiIn(directory);
}

function pkiIn(directory: string): Pki {
  const caFile = join(directory, 'ca.crt');
  return {
    directory,
    caFile,
    caPem: readFileSync(caFile, 'utf8'),
    issue: (request) => issue(directory, request),
  };
}

/** A key pair for signing service-account tokens, in PEM. */
export async function createSigningKey(privateFile: string, publicFile: string): Promise<void> {
  await generateKey(privateFile);
  await runOk('openssl', ['pkey', '-in', privateFile, '-pubout', '-out', publicFile]);
}

async function generateKey(file: string): Promise<void> {
  await runOk('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file]);
}

async function issue(directory: string, request: CertificateRequest): Promise<IssuedCertificate> {
  const certFile = join(directory, `${request.name}.crt`);
  const keyFile = join(directory, `${request.name}.key`);
  // `openssl ca` is the one command of OpenSSL 3.0 that takes dates in the past; it wants a database, and one for
  // each certificate keeps calls at the same time apart.
  const work = mkdtempSync(join(directory, 'issue-'));
  try {
    const config = join(work, 'openssl.cnf');
    const csr = join(work, 'request.csr');
    writeFileSync(config, configuration(directory, work, request));
    writeFileSync(join(work, 'index.txt'), '');
    await generateKey(keyFile);
    const organization = request.organization === undefined ? '' : `/O=${request.organization}`;
    const subject = `${organization}/CN=${request.name}`;
    await runOk('openssl', ['req', '-new', '-config', config, '-key', keyFile, '-out', csr, '-subj', subject]);
    const notBefore =
      request.notBefore ?? new Date(Math.min(Date.now(), request.notAfter?.getTime() ?? Infinity) - DAY_MS);
    const notAfter = request.notAfter ?? new Date(Date.now() + 365 * DAY_MS);
    await runOk('openssl', [
      ...['ca', '-batch', '-notext', '-config', config, '-in', csr, '-out', certFile, '-extensions', 'leaf'],
      ...['-startdate', generalizedTime(notBefore), '-enddate', generalizedTime(notAfter)],
    ]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { certFile, keyFile };
}

function configuration(directory: string, work: string, request: CertificateRequest): string {
  const names = [
    ...(request.dns ?? []).map((value) => `DNS:${value}`),
    ...(request.ip ?? []).map((value) => `IP:${value}`),
    ...(request.uri ?? []).map((value) => `URI:${value}`),
  ];
  return `
[ca]
default_ca = lab
[lab]
certificate = ${directory}/ca.crt
private_key = ${directory}/ca.key
new_certs_dir = ${work}
database = ${work}/index.txt
rand_serial = yes
default_md = sha256
policy = any
[any]
organizationName = optional
commonName = supplied
[req]
distinguished_name = subject
[subject]
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature,keyEncipherment
extendedKeyUsage = serverAuth,clientAuth
authorityKeyIdentifier = keyid
${names.length === 0 ? '' : `subjectAltName = ${names.join(',')}`}
`;
}

/** YYYYMMDDHHMMSSZ, as `openssl ca` takes it. */
function generalizedTime(date: Date): string {
  return `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
}
