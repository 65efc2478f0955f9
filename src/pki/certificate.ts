/**
 * The certificates that Dimmer's own links need and no others (RFC 5280): a CA, agents as servers, the controller as their
 * client. All have keys on the curve P-256 and are signed with ECDSA and SHA-256, so that there is little to choose and
 * little to get wrong. Why this is written here: docs/adr/0052-certificates-without-a-pki.md.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import * as der from './der.ts';
import { addressBytes, type CertificateName } from './names.ts';

/** In PEM. */
export type KeyAndCertificate = { readonly key: string; readonly certificate: string };

export type Role = 'ca' | 'server' | 'client';

export type CertificateRequest = {
  readonly role: Role;
  /** For people: programs go by `names`. At most 64 characters (RFC 5280, ub-common-name). */
  readonly commonName: string;
  readonly names: readonly CertificateName[];
  readonly notBefore: Date;
  readonly notAfter: Date;
};

const oid = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
} as const;

const algorithm = der.sequence(der.objectIdentifier(oid.ecdsaWithSha256));

/** Makes a key and a CA's certificate that is signed with it. */
export function createAuthority(request: Omit<CertificateRequest, 'role'>): KeyAndCertificate {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { key: pemOf(privateKey), certificate: signAuthority(privateKey, request) };
}

/** A new certificate for a CA's key: what it has signed before stays good, and so does the old certificate until its end. */
export const renewAuthority = (key: string, request: Omit<CertificateRequest, 'role'>): string =>
  signAuthority(createPrivateKey(key), request);

function signAuthority(key: KeyObject, request: Omit<CertificateRequest, 'role'>): string {
  const issuer = { key, name: nameOf(request.commonName), keyId: keyIdOf(createPublicKey(key)) };
  return issue({ ...request, role: 'ca' }, createPublicKey(key), issuer);
}

/** Makes a key and a certificate for it that the CA signs. @throws Error when `authority` is not a CA's */
export function createCertificate(request: CertificateRequest, authority: KeyAndCertificate): KeyAndCertificate {
  const signer = new X509Certificate(authority.certificate);
  const key = createPrivateKey(authority.key);
  if (!signer.ca || !signer.checkPrivateKey(key)) throw new Error('the key and the certificate of the CA do not fit');
  const [, commonName = ''] = /^CN=(.*)$/m.exec(signer.subject) ?? [];
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { key, name: nameOf(commonName), keyId: keyIdOf(signer.publicKey) };
  return { key: pemOf(privateKey), certificate: issue(request, publicKey, issuer) };
}

type Issuer = { readonly key: KeyObject; readonly name: Uint8Array; readonly keyId: Uint8Array };

function issue(request: CertificateRequest, publicKey: KeyObject, issuer: Issuer): string {
  const subject = nameOf(request.commonName);
  const toBeSigned = der.sequence(
    // Version 3.
    der.tagged(0, der.integer(Uint8Array.of(2))),
    der.integer(serialNumber()),
    algorithm,
    issuer.name,
    der.sequence(der.time(request.notBefore), der.time(request.notAfter)),
    subject,
    spkiOf(publicKey),
    der.tagged(3, der.sequence(...extensions(request, keyIdOf(publicKey), issuer.keyId))),
  );
  const signature = sign('sha256', toBeSigned, issuer.key);
  return pemText('CERTIFICATE', der.sequence(toBeSigned, algorithm, der.bitString(signature)));
}

/** 126 random bits, and never a zero in front. */
function serialNumber(): Uint8Array {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function nameOf(commonName: string): Uint8Array {
  return der.sequence(der.setOf(der.sequence(der.objectIdentifier(oid.commonName), der.utf8String(commonName))));
}

function extensions(
  { role, names }: CertificateRequest,
  keyId: Uint8Array,
  issuerKeyId: Uint8Array,
): readonly Uint8Array[] {
  const extension = (id: string, isCritical: boolean, value: Uint8Array): Uint8Array =>
    der.sequence(der.objectIdentifier(id), ...(isCritical ? [der.isTrue] : []), der.octetString(value));
  const isCa = role === 'ca';
  return [
    // A CA that signs no other CA; what isn't a CA has the default, which DER leaves out.
    extension(
      oid.basicConstraints,
      true,
      isCa ? der.sequence(der.isTrue, der.integer(Uint8Array.of(0))) : der.sequence(),
    ),
    // keyCertSign and cRLSign, or digitalSignature.
    extension(oid.keyUsage, true, isCa ? der.namedBits(5, 6) : der.namedBits(0)),
    ...(role === 'ca' ? [] : [extension(oid.extendedKeyUsage, false, der.sequence(der.objectIdentifier(oid[role])))]),
    ...(names.length === 0 ? [] : [extension(oid.subjectAltName, false, der.sequence(...names.map(generalName)))]),
    extension(oid.subjectKeyIdentifier, false, der.octetString(keyId)),
    extension(oid.authorityKeyIdentifier, false, der.sequence(der.tagAs(0, issuerKeyId))),
  ];
}

function generalName({ kind, value }: CertificateName): Uint8Array {
  switch (kind) {
    case 'DNS':
      return der.tagAs(2, new TextEncoder().encode(value));
    case 'URI':
      return der.tagAs(6, new TextEncoder().encode(value));
    case 'IP':
      return der.tagAs(7, addressBytes(value));
    default:
      return kind satisfies never;
  }
}

const spkiOf = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ type: 'spki', format: 'der' }));
/** The point of a key on P-256, which its SubjectPublicKeyInfo ends with: 65 bytes; hashed as RFC 7093, method 1, says. */
const keyIdOf = (key: KeyObject): Uint8Array =>
  new Uint8Array(createHash('sha256').update(spkiOf(key).subarray(-65)).digest().subarray(0, 20));
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

function pemText(what: string, content: Uint8Array): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${what}-----`, ...lines, `-----END ${what}-----`, ''].join('\n');
}
