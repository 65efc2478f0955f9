/** The names that a certificate speaks of. Pure but for what an IP address is. */
import { isIPv4, isIPv6 } from 'node:net';

export type CertificateName = { readonly kind: 'DNS' | 'IP' | 'URI'; readonly value: string };

const label = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const hostName = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`, 'i');
/** SPIFFE-ID, 2.1: a trust domain. */
const trustDomain = /^[a-z0-9._-]{1,255}$/;
const spiffeId = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)*$/;

/** The name of a host or its address; null: it is neither. */
export function readHostName(text: string): CertificateName | null {
  if (isIPv4(text) || (isIPv6(text) && !text.includes('%'))) return { kind: 'IP', value: text };
  // What looks like an address and is none is no name either.
  return hostName.test(text) && !/^[\d.]+$/.test(text) ? { kind: 'DNS', value: text.toLowerCase() } : null;
}

export const isTrustDomain = (text: string): boolean => trustDomain.test(text);

/** A SPIFFE id (the URI by which an agent knows a client), at most 2048 bytes; null: it isn't one. */
export const readSpiffeId = (text: string): CertificateName | null =>
  spiffeId.test(text) && text.length <= 2048 ? { kind: 'URI', value: text } : null;

/** The bytes of an address: 4 or 16. */
export function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split('.').map(Number));
  // The last 32 bits may be written as IPv4.
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...digits: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = digits.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [before = '', after = ''] = text.split('::');
  const [start, end] = [groups(before), groups(after)];
  const zeros = Array<number>(8 - start.length - end.length).fill(0);
  return Uint8Array.from([...start, ...zeros, ...end].flatMap((group) => [group >> 8, group & 0xff]));
}

/** `DNS:hv-07, IP Address:10.0.0.7`, as Node tells it of a certificate that was made here: no name has a comma in it. */
export function namesOf(subjectAltName: string | undefined): readonly CertificateName[] {
  return (subjectAltName ?? '').split(', ').flatMap((entry): readonly CertificateName[] => {
    const [, kind, value = ''] = /^(DNS|IP Address|URI):(.+)$/.exec(entry) ?? [];
    if (kind === undefined) return [];
    return [{ kind: kind === 'IP Address' ? 'IP' : (kind as 'DNS' | 'URI'), value }];
  });
}
