/** Whether the agent's certificate, its key and the clients' CA can be used, and for how long. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TlsFilePaths } from '../../runtime/tls-files.ts';
import type { Finding } from './report.ts';
import { fail, type Result, succeed } from '../../memory/result.ts';

const dayMs = 86_400_000;
/** cert-manager renews certificates of 90 days 30 days before their end: one that is nearer wasn't renewed. */
const soonMs = 14 * dayMs;
/** RFC 5280, section 4.2.1.12: id-kp-serverAuth and anyExtendedKeyUsage. */
const serverAuth = ['1.3.6.1.5.5.7.3.1', '2.5.29.37.0'];

const problem = (subject: string, message: string): Finding => ({ verdict: 'problem', subject, message });

function describeReadError(path: string, user: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  switch (code) {
    case 'ENOENT':
      return `${path} does not exist`;
    case 'EACCES':
      return `${path} may not be read by user ${user}; let the agent's user or a group of it read the file`;
    default:
      return `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function readPem<T>(subject: string, path: string, user: string, parse: (pem: string) => T): Result<T, Finding> {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    return fail(problem(subject, describeReadError(path, user, error)));
  }
  try {
    return succeed(parse(pem));
  } catch {
    return fail(problem(subject, `${path} does not hold what it should, in PEM`));
  }
}

/** All certificates of a bundle. @throws Error when there is none, or one isn't readable */
function parseBundle(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('no certificate');
  return blocks.map((block) => new X509Certificate(block));
}

const nameOf = (certificate: X509Certificate): string => certificate.subject.replaceAll('\n', ', ') || 'no name';
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** What is wrong with a certificate's time; null: nothing. */
function judgeTime(certificate: X509Certificate, nowMs: number): Pick<Finding, 'verdict' | 'message'> | null {
  const from = Date.parse(certificate.validFrom);
  const until = Date.parse(certificate.validTo);
  if (nowMs < from) return { verdict: 'problem', message: `is not valid before ${certificate.validFrom}` };
  if (nowMs >= until) return { verdict: 'problem', message: `expired on ${day(until)}; renew it` };
  if (until - nowMs >= soonMs) return null;
  const days = Math.ceil((until - nowMs) / dayMs);
  return { verdict: 'warning', message: `expires in ${days} days, on ${day(until)}; renew it` };
}

function judgeServer(path: string, certificate: X509Certificate, nowMs: number): Finding {
  const subject = 'certificate';
  const time = judgeTime(certificate, nowMs);
  if (time !== null) return { subject, verdict: time.verdict, message: `${path} ${time.message}` };
  // Node's types promise an array; without the extension it is undefined.
  const usages = certificate.keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.some((usage) => serverAuth.includes(usage))) {
    return problem(subject, `${path} is not for servers (extended key usage serverAuth); clients will not take it`);
  }
  const names = certificate.subjectAltName;
  const message = `${path}: ${nameOf(certificate)}, until ${day(Date.parse(certificate.validTo))}`;
  if (names === undefined) {
    return {
      verdict: 'warning',
      subject,
      message: `${message}; it names no host (subjectAltName), so clients must be told its name`,
    };
  }
  return { verdict: 'ok', subject, message: `${message}, for ${names}` };
}

function judgeAuthority(path: string, bundle: readonly X509Certificate[], nowMs: number): Finding {
  const subject = 'client CA';
  const usable = bundle.filter((certificate) => certificate.ca);
  if (usable.length === 0) {
    return problem(subject, `${path} holds no certificate of a CA; no client could be verified`);
  }
  const times = usable.map((certificate) => ({ certificate, time: judgeTime(certificate, nowMs) }));
  // A bundle holds two while one follows the other: one good one is enough.
  const good = times.filter(({ time }) => time?.verdict !== 'problem');
  const [first] = good;
  if (first === undefined) return problem(subject, `${path}: ${times[0]?.time?.message ?? 'cannot be used'}`);
  if (good.every(({ time }) => time !== null)) {
    return { verdict: 'warning', subject, message: `${path} ${first.time?.message ?? ''}` };
  }
  return { verdict: 'ok', subject, message: `${path}: ${good.map((one) => nameOf(one.certificate)).join('; ')}` };
}

/**
 * One finding or more for each of certificate, key and CA.
 * @param user who reads the files, for people
 */
export function checkCertificates(paths: TlsFilePaths, user: string, nowMs: number): readonly Finding[] {
  const server = readPem('certificate', paths.certFile, user, (pem) => new X509Certificate(pem));
  const key = readPem('private key', paths.keyFile, user, (pem): KeyObject => createPrivateKey(pem));
  const authority = readPem('client CA', paths.caFile, user, parseBundle);
  return [
    server.ok ? judgeServer(paths.certFile, server.value, nowMs) : server.error,
    key.ok ? judgeKey(paths, server.ok ? server.value : null, key.value) : key.error,
    authority.ok ? judgeAuthority(paths.caFile, authority.value, nowMs) : authority.error,
  ];
}

function judgeKey(paths: TlsFilePaths, certificate: X509Certificate | null, key: KeyObject): Finding {
  const subject = 'private key';
  if (certificate?.checkPrivateKey(key) === false) {
    return problem(subject, `${paths.keyFile} does not belong to ${paths.certFile}`);
  }
  const belongs = certificate === null ? '' : ', belongs to the certificate';
  return { verdict: 'ok', subject, message: `${paths.keyFile}: can be read${belongs}` };
}
