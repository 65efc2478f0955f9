/** Writing DER (ITU-T X.690), as far as a certificate needs it. Pure. */

type Bytes = Uint8Array;

function concat(parts: readonly Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Tag, length in its shortest form, and what is inside. */
function tlv(tag: number, ...inside: readonly Bytes[]): Bytes {
  const content = concat(inside);
  const { length } = content;
  if (length < 0x80) return concat([Uint8Array.of(tag, length), content]);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return concat([Uint8Array.of(tag, 0x80 | digits.length, ...digits), content]);
}

export const sequence = (...inside: readonly Bytes[]): Bytes => tlv(0x30, ...inside);
/** A SET of one element, which needs no sorting. */
export const setOf = (element: Bytes): Bytes => tlv(0x31, element);
export const octetString = (content: Bytes): Bytes => tlv(0x04, content);
export const utf8String = (text: string): Bytes => tlv(0x0c, new TextEncoder().encode(text));
export const isTrue: Bytes = Uint8Array.of(0x01, 0x01, 0xff);
/** All bits of the bytes. */
export const bitString = (content: Bytes): Bytes => tlv(0x03, Uint8Array.of(0), content);
/** Named bits, by number, without the zeros at the end (X.690, 11.2.2); all below 8. */
export function namedBits(...bits: readonly number[]): Bytes {
  const byte = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  return tlv(0x03, Uint8Array.of(7 - Math.max(...bits), byte));
}
/** `[number]`, around what keeps its own tag (explicit). */
export const tagged = (number: number, content: Bytes): Bytes => tlv(0xa0 | number, content);
/** `[number]`, in the place of the tag of something simple (implicit). */
export const tagAs = (number: number, content: Bytes): Bytes => tlv(0x80 | number, content);
/** A whole number that is not negative, from its big-endian bytes; the first one isn't zero. */
export const integer = (digits: Bytes): Bytes =>
  (digits[0] ?? 0) >= 0x80 ? tlv(0x02, Uint8Array.of(0), digits) : tlv(0x02, digits);

/** `1.2.840.10045.4.3.2` */
export function objectIdentifier(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const groups = [first * 40 + second, ...rest].map((arc) => {
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left % 128) | 0x80);
    return Uint8Array.from(digits);
  });
  return tlv(0x06, ...groups);
}

/** Seconds are whole; two digits for years before 2050, four from then on (RFC 5280, 4.1.2.5). */
export function time(date: Date): Bytes {
  const digits = `${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
  const ascii = (text: string): Bytes => new TextEncoder().encode(text);
  return date.getUTCFullYear() < 2050 ? tlv(0x17, ascii(digits.slice(2))) : tlv(0x18, ascii(digits));
}
