/** Who the client is: the URI names in its certificate. */
import type { TLSSocket } from 'node:tls';

/** One entry of Node's `subjectAltName` text; values with special characters are JSON strings (CVE-2021-44532). */
const entryPattern = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,"]*)/y;

/**
 * The URI names in a `subjectAltName` text of Node's X509Certificate. Empty when the text isn't understood to its end:
 * a name that hides others must admit nobody.
 */
export function urisOfSubjectAltName(text: string): readonly string[] {
  const uris: string[] = [];
  let end = 0;
  entryPattern.lastIndex = 0;
  for (let match = entryPattern.exec(text); match !== null; match = entryPattern.exec(text)) {
    end = entryPattern.lastIndex;
    const [, kind, value = ''] = match;
    if (kind !== 'URI') continue;
    // Quoted: a URI with characters that no allowed URI has.
    if (!value.startsWith('"')) uris.push(value);
    if (end === text.length) break;
  }
  return end === text.length ? uris : [];
}

type PeerIdentity = { readonly uris: readonly string[]; readonly expiresAtMs: number };

/** The handshake's result doesn't change while the connection stands. */
const identities = new WeakMap<TLSSocket, PeerIdentity>();

function identityOf(socket: TLSSocket): PeerIdentity {
  const known = identities.get(socket);
  if (known !== undefined) return known;
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  const identity: PeerIdentity = {
    uris: certificate?.subjectAltName === undefined ? [] : urisOfSubjectAltName(certificate.subjectAltName),
    expiresAtMs: certificate === undefined ? 0 : Date.parse(certificate.validTo),
  };
  identities.set(socket, identity);
  return identity;
}

/** The first allowed URI of the client; null: it is none of them, or its certificate has expired meanwhile. */
export function findAllowedClient(socket: TLSSocket, allowed: readonly string[], nowMs: number): string | null {
  const identity = identityOf(socket);
  if (nowMs >= identity.expiresAtMs) return null;
  return allowed.find((uri) => identity.uris.includes(uri)) ?? null;
}
