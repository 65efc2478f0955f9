/** `dimmer pki`: certificates for whoever has no CA. */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { createAuthority, createCertificate, renewAuthority, type Role } from '../../pki/certificate.ts';
import {
  listHeld,
  PkiProblem,
  readAuthority,
  readHeld,
  renewAuthorityFiles,
  renewFolder,
  writeAuthority,
  writeFolder,
} from '../../pki/directory.ts';
import { type CertificateName, namesOf } from '../../pki/names.ts';
import { describeError } from '../failure.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { type PkiArguments, readPkiArguments } from './options.ts';
import { pkiUsage } from './usage.ts';

const dayMs = 86_400_000;
/** Clocks of hosts may be behind. */
const backdatedMs = 3_600_000;

/** Returns the exit code. */
export function runPki(argv: readonly string[], io: CommandIo): Promise<number> {
  const read = readPkiArguments(argv);
  switch (read.kind) {
    case 'help':
      io.stdout.write(pkiUsage);
      return Promise.resolve(exitOk);
    case 'bad-usage':
      io.stderr.write(`dimmer pki: ${read.problem}; 'dimmer pki --help' says more\n`);
      return Promise.resolve(exitFailure);
    case 'run':
      try {
        return Promise.resolve(run(read.options, io, Date.now()));
      } catch (error) {
        if (!(error instanceof PkiProblem) && (error as NodeJS.ErrnoException).code === undefined) throw error;
        io.stderr.write(`dimmer pki: ${describeError(error)}\n`);
        return Promise.resolve(exitFailure);
      }
    default:
      return read satisfies never;
  }
}

function run(options: PkiArguments, io: CommandIo, nowMs: number): number {
  switch (options.task) {
    case 'init':
      return init(options, io, nowMs);
    case 'agent':
      return makeAgent(options, io, nowMs);
    case 'controller':
      return makeController(options, io, nowMs);
    case 'list':
      return list(options, io, nowMs);
    default:
      return options satisfies never;
  }
}

type Of<Task> = Extract<PkiArguments, { task: Task }>;

function init({ directory, days, renew, trustDomain }: Of<'init'>, io: CommandIo, nowMs: number): number {
  const domain = trustDomain ?? trustDomainOf(readAuthority(directory).certificate);
  const request = {
    commonName: shorten(`Dimmer CA of ${domain}`),
    // As SPIFFE has it for what signs a trust domain's certificates.
    names: [{ kind: 'URI', value: `spiffe://${domain}` }] as const,
    ...validity(days, nowMs, Infinity),
  };
  if (renew) {
    const old = readAuthority(directory);
    if (trustDomainOf(old.certificate) !== domain) {
      throw new PkiProblem(
        `the CA is that of ${trustDomainOf(old.certificate)}, and another one's name takes another CA`,
      );
    }
    renewAuthorityFiles(directory, renewAuthority(old.key, request));
  } else writeAuthority(directory, createAuthority(request));
  io.stdout.write(
    [
      `${join(directory, 'ca.crt')}: the CA of ${domain}, until ${day(request.notAfter)}; hosts and controller trust it`,
      `${join(directory, 'ca.key')}: its key; whoever has it can make certificates`,
      '',
    ].join('\n'),
  );
  return exitOk;
}

function makeAgent({ directory, days, renew, name, also }: Of<'agent'>, io: CommandIo, nowMs: number): number {
  const folder = join('agents', name.value);
  const kept = renew && also.length === 0 ? namesOf(readHeld(directory, folder).subjectAltName) : [];
  const names = kept.length === 0 ? unique([name, ...also]) : kept;
  const notAfter = make({ directory, folder, days, renew, nowMs, role: 'server', commonName: name.value, names });
  const listed = names.map(({ value }) => value).join(', ');
  io.stdout.write(
    `${join(directory, folder)}: for the agent at ${listed}, until ${day(notAfter)}; its files go to /etc/dimmer there\n`,
  );
  return exitOk;
}

function makeController({ directory, days, renew, uri }: Of<'controller'>, io: CommandIo, nowMs: number): number {
  const folder = 'controller';
  const own = {
    kind: 'URI',
    value: `spiffe://${trustDomainOf(readAuthority(directory).certificate)}/dimmer/controller`,
  } as const;
  const [kept] = renew ? namesOf(readHeld(directory, folder).subjectAltName) : [];
  const name = uri ?? kept ?? own;
  const commonName = 'dimmer-controller';
  const notAfter = make({ directory, folder, days, renew, nowMs, role: 'client', commonName, names: [name] });
  io.stdout.write(
    `${join(directory, folder)}: for the controller, until ${day(notAfter)}; agents are told --allow-client ${name.value}\n`,
  );
  return exitOk;
}

type Making = {
  readonly directory: string;
  readonly folder: string;
  readonly days: number;
  readonly renew: boolean;
  readonly nowMs: number;
  readonly role: Role;
  readonly commonName: string;
  readonly names: readonly CertificateName[];
};

/** Gives the certificate's end. */
function make({ directory, folder, days, renew, nowMs, role, commonName, names }: Making): Date {
  const authority = readAuthority(directory);
  const endMs = Date.parse(new X509Certificate(authority.certificate).validTo);
  if (endMs <= nowMs) throw new PkiProblem("the CA's certificate has ended; 'dimmer pki init --renew' makes a new one");
  const times = validity(days, nowMs, endMs);
  const made = createCertificate({ role, commonName: shorten(commonName), names, ...times }, authority);
  (renew ? renewFolder : writeFolder)(directory, folder, made, authority.certificate);
  return times.notAfter;
}

function list({ directory, within }: Of<'list'>, io: CommandIo, nowMs: number): number {
  const rows = listHeld(directory).map(({ path, certificate }) => {
    const endMs = Date.parse(certificate.validTo);
    const names = namesOf(certificate.subjectAltName).map(({ value }) => value);
    const isDue = endMs - nowMs < within * dayMs;
    const days = Math.floor((endMs - nowMs) / dayMs);
    return {
      path,
      isDue,
      names: names.join(', '),
      until: day(new Date(endMs)),
      state: days < 0 ? 'ended' : `${days} days`,
    };
  });
  const width = Math.max(...rows.map(({ path }) => path.length));
  for (const { path, until, state, names, isDue } of rows) {
    io.stdout.write(
      `${path.padEnd(width)}  ${until}  ${(isDue ? `${state}, renew it` : state).padEnd(20)}  ${names}\n`,
    );
  }
  return rows.some(({ isDue }) => isDue) ? exitFailure : exitOk;
}

function validity(days: number, nowMs: number, latestMs: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - backdatedMs), notAfter: new Date(Math.min(nowMs + days * dayMs, latestMs)) };
}

/** The trust domain that a CA's certificate names. @throws PkiProblem */
function trustDomainOf(certificate: string): string {
  const names = namesOf(new X509Certificate(certificate).subjectAltName);
  const [, domain] = names.map(({ value }) => /^spiffe:\/\/([^/]+)$/.exec(value)).find((match) => match !== null) ?? [];
  if (domain === undefined) throw new PkiProblem("ca.crt is not a certificate that 'dimmer pki init' has made");
  return domain;
}

const day = (date: Date): string => date.toISOString().slice(0, 10);
/** The longest common name is 64 characters. */
const shorten = (text: string): string => text.slice(0, 64);
const unique = (names: readonly CertificateName[]): readonly CertificateName[] =>
  names.filter(({ value }, index) => names.findIndex((other) => other.value === value) === index);
