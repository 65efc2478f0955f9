/** The certificates that are written here, as others read them: Node's parser, and OpenSSL's strict one. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createAuthority,
  createCertificate,
  renewAuthority,
  type CertificateRequest,
} from '../../../src/pki/certificate.ts';
import { addressBytes, isTrustDomain, namesOf, readHostName, readSpiffeId } from '../../../src/pki/names.ts';

const times = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2036-01-01T00:00:00Z') };
const authority = createAuthority({ commonName: 'Dimmer CA of example.net', names: [], ...times });
const issue = (request: Partial<CertificateRequest>) => {
  const made = createCertificate({ role: 'server', commonName: 'x', names: [], ...times, ...request }, authority);
  return { ...made, parsed: new X509Certificate(made.certificate) };
};

describe('a certificate', () => {
  test('is signed by its CA, for its own key', () => {
    const { key, parsed } = issue({ commonName: 'hv-07' });
    const ca = new X509Certificate(authority.certificate);
    expect(parsed.verify(ca.publicKey)).toBe(true);
    expect(parsed.checkIssued(ca)).toBe(true);
    expect(parsed.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect([ca.ca, parsed.ca]).toEqual([true, false]);
    expect(parsed.subject).toBe('CN=hv-07');
  });

  test.each([
    ['server', '1.3.6.1.5.5.7.3.1'],
    ['client', '1.3.6.1.5.5.7.3.2'],
  ] as const)('of a %s is for that alone', (role, usage) => {
    expect(issue({ role }).parsed.keyUsage).toEqual([usage]);
  });

  test.each(['2049-12-31T23:59:59Z', '2050-01-01T00:00:00Z', '2126-01-01T00:00:00Z'])('ends at %s', (end) => {
    expect(new Date(issue({ notAfter: new Date(end) }).parsed.validTo)).toEqual(new Date(end));
  });

  test('each has a number of its own, above zero and of at most 20 bytes', () => {
    const numbers = Array.from({ length: 50 }, () => issue({}).parsed.serialNumber);
    expect(new Set(numbers).size).toBe(50);
    for (const number of numbers) expect(number).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test('is not made with the key of another CA', () => {
    const other = createAuthority({ commonName: 'other', names: [], ...times });
    const request = { role: 'server', commonName: 'x', names: [], ...times } as const;
    expect(() => createCertificate(request, { ...authority, key: other.key })).toThrow('do not fit');
    const leaf = issue({});
    expect(() => createCertificate(request, leaf)).toThrow('do not fit');
  });

  test('stays good when the CA has got a new certificate', () => {
    const leaf = issue({}).parsed;
    const renewed = new X509Certificate(
      renewAuthority(authority.key, { commonName: 'Dimmer CA of example.net', names: [], ...times }),
    );
    expect(renewed.serialNumber).not.toBe(new X509Certificate(authority.certificate).serialNumber);
    expect([leaf.checkIssued(renewed), leaf.verify(renewed.publicKey)]).toEqual([true, true]);
  });
});

/** As Node tells an IPv6 address: each group in capitals, none left out. */
const groupsOf = (address: string): string =>
  Array.from({ length: 8 }, (_, index) => {
    const bytes = addressBytes(address);
    return (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16).toUpperCase();
  }).join(':');

describe('names', () => {
  test('come back as they were given', () => {
    fc.assert(
      fc.property(fc.domain(), fc.ipV4(), fc.ipV6(), (domain, v4, v6) => {
        const names = [domain, v4, v6].flatMap((text) => readHostName(text) ?? []);
        const read = namesOf(issue({ names }).parsed.subjectAltName);
        const shown = names.map(({ kind, value }) => ({ kind, value: value.includes(':') ? groupsOf(value) : value }));
        expect(read).toEqual(shown);
        // What was read is written again as the same.
        expect(namesOf(issue({ names: read }).parsed.subjectAltName)).toEqual(read);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ['::', '0:0:0:0:0:0:0:0'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['2001:db8::7', '2001:DB8:0:0:0:0:0:7'],
    ['2001:db8::', '2001:DB8:0:0:0:0:0:0'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['::ffff:10.0.0.7', '0:0:0:0:0:FFFF:A00:7'],
  ])('%s is %s', (address, groups) => {
    expect(groupsOf(address)).toBe(groups);
    const parsed = issue({ names: [{ kind: 'IP', value: address }] }).parsed;
    expect(parsed.checkIP(address)).toBeDefined();
  });

  test.each([
    '',
    ' ',
    'a b',
    '-a',
    'a-',
    'a..b',
    '10.0.0',
    '10.0.0.256',
    'fe80::1%eth0',
    '*.example.net',
    'a,DNS:b',
    'ü',
  ])("'%s' is no host", (text) => expect(readHostName(text)).toBeNull());
  test.each([
    '',
    'example.net',
    'spiffe://',
    'spiffe://Example.net/x',
    'spiffe://example.net/a b',
    'https://example.net/x',
  ])("'%s' is no SPIFFE id", (text) => expect(readSpiffeId(text)).toBeNull());
  test('of a trust domain', () => {
    expect(['example.net', 'a_b-c'].map(isTrustDomain)).toEqual([true, true]);
    expect(['', 'Example.net', 'a/b', 'a,b', 'x'.repeat(256)].map(isTrustDomain)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('OpenSSL', () => {
  let directory: string;
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-certificates-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test.each([
    [
      'server',
      [
        { kind: 'DNS', value: 'hv-07.example.net' },
        { kind: 'IP', value: '10.0.0.7' },
      ],
      'sslserver',
      'sslclient',
    ],
    ['client', [{ kind: 'URI', value: 'spiffe://example.net/dimmer/controller' }], 'sslclient', 'sslserver'],
  ] as const)('takes that of a %s by RFC 5280 to the letter, and for nothing else', (role, names, good, bad) => {
    const trusted = file('ca.crt', authority.certificate);
    const own = file(`${role}.crt`, issue({ role, names, commonName: role }).certificate);
    const verify = (purpose: string) =>
      execFileSync('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', trusted, own], {
        stdio: 'pipe',
      });
    expect(verify(good).toString()).toContain('OK');
    expect(() => verify(bad)).toThrow('unsuitable certificate purpose');
  });
});
