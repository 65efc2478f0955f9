/**
 * A directory that holds a CA and what it has signed, each certificate in a folder that can be copied as it stands:
 *
 *     ca.crt  ca.key  agents/NAME/{tls.crt,tls.key,ca.crt}  controller/{tls.crt,tls.key,ca.crt}
 *
 * Nothing that is there is ever overwritten, but by a renewal that was asked for.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { KeyAndCertificate } from './certificate.ts';

/** A certificate that is there. */
export type Held = {
  /** From the directory on: `ca.crt`, `agents/hv-07/tls.crt`. */
  readonly path: string;
  readonly certificate: X509Certificate;
};

/** What is wrong with the directory, in one line. */
export class PkiProblem extends Error {}

const readable = 0o644;
const secret = 0o600;
const pair = { certificate: 'tls.crt', key: 'tls.key', authority: 'ca.crt' } as const;

/** The CA's key and certificate. @throws PkiProblem */
export function readAuthority(directory: string): KeyAndCertificate {
  const [key, certificate] = ['ca.key', 'ca.crt'].map((name) => readText(join(directory, name)));
  if (key === undefined || certificate === undefined) throw new PkiProblem('unreachable');
  if (!fits(key, certificate)) {
    throw new PkiProblem(`ca.key and ca.crt in ${directory} do not fit: they are not what 'dimmer pki init' has made`);
  }
  return { key, certificate };
}

function fits(key: string, certificate: string): boolean {
  try {
    const parsed = new X509Certificate(certificate);
    return parsed.ca && parsed.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new PkiProblem(
      code === 'ENOENT' ? `${path} is not there; 'dimmer pki init' makes a CA` : `${path}: ${code ?? ''}`,
      {
        cause: error,
      },
    );
  }
}

/** Writes a new CA. @throws PkiProblem where there is one */
export function writeAuthority(directory: string, { key, certificate }: KeyAndCertificate): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeNew(join(directory, 'ca.key'), key, secret);
  writeNew(join(directory, 'ca.crt'), certificate, readable);
}

/** Puts a CA's new certificate in the place of the old one, also in the folders that are copied. */
export function renewAuthorityFiles(directory: string, certificate: string): void {
  replace(join(directory, 'ca.crt'), certificate, readable);
  for (const folder of foldersOf(directory)) replace(join(directory, folder, pair.authority), certificate, readable);
}

/** Writes a folder that nobody sees before it is whole. @throws PkiProblem where there is one */
export function writeFolder(directory: string, folder: string, made: KeyAndCertificate, authority: string): void {
  const target = join(directory, folder);
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  const hidden = mkdtempSync(join(directory, '.new-'));
  try {
    writeNew(join(hidden, pair.key), made.key, secret);
    writeNew(join(hidden, pair.certificate), made.certificate, readable);
    writeNew(join(hidden, pair.authority), authority, readable);
    // Unlike that of a file it fails where there is one that isn't empty.
    renameSync(hidden, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') throw isThere(target, error);
    throw error;
  } finally {
    rmSync(hidden, { recursive: true, force: true });
  }
}

/** Puts a new key and certificate in the place of old ones. Whoever reads half of it passes it over. */
export function renewFolder(directory: string, folder: string, made: KeyAndCertificate, authority: string): void {
  const target = join(directory, folder);
  replace(join(target, pair.authority), authority, readable);
  replace(join(target, pair.key), made.key, secret);
  replace(join(target, pair.certificate), made.certificate, readable);
}

/** The certificate of a folder. @throws PkiProblem where there is none to renew */
export function readHeld(directory: string, folder: string): X509Certificate {
  const path = join(directory, folder, pair.certificate);
  try {
    return new X509Certificate(readFileSync(path));
  } catch (error) {
    throw new PkiProblem(`${path} can't be renewed: there is no certificate`, { cause: error });
  }
}

/** All certificates, the CA's first. @throws PkiProblem */
export function listHeld(directory: string): readonly Held[] {
  const authority = { path: 'ca.crt', certificate: new X509Certificate(readAuthority(directory).certificate) };
  const others = foldersOf(directory).map((folder) => ({
    path: join(folder, pair.certificate),
    certificate: readHeld(directory, folder),
  }));
  return [authority, ...others];
}

function foldersOf(directory: string): readonly string[] {
  const agents = namesIn(join(directory, 'agents')).map((name) => join('agents', name));
  return [...agents.toSorted(), 'controller'].filter((folder) => isFolder(join(directory, folder)));
}

const namesIn = (path: string): readonly string[] => (isFolder(path) ? readdirSync(path) : []);
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

const isThere = (path: string, cause: unknown): PkiProblem =>
  new PkiProblem(`${path} is there already, and stays as it is; --renew makes a new certificate in its place`, {
    cause,
  });

function writeNew(path: string, text: string, mode: number): void {
  try {
    // A key is never readable, not even for a moment.
    writeFileSync(path, text, { flag: 'wx', mode, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw isThere(path, error);
    throw error;
  }
}

function replace(path: string, text: string, mode: number): void {
  const hidden = `${path}.new`;
  rmSync(hidden, { force: true });
  writeFileSync(hidden, text, { flag: 'wx', mode, flush: true });
  renameSync(hidden, path);
}
