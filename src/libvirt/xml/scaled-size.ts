/** Numbers as libvirt's XML spells them: sizes with units, addresses, lists of nodes. Exact, never rounded silently. */
import { type Bytes, isBytes } from '../../memory/bytes.ts';

/** Powers of the prefix letters (virScaleInteger in libvirt's util/virutil.c). */
const powers: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4, p: 5, e: 6 };

/** How many bytes one `unit` is, case ignored: b, byte, bytes, k, KiB, KB, M, MiB, MB, ...; null: no such unit. */
function bytesOfUnit(unit: string): bigint | null {
  const lower = unit.toLowerCase();
  if (lower === 'b' || lower === 'byte' || lower === 'bytes') return 1n;
  const match = /^([kmgtpe])(ib|b)?$/.exec(lower);
  const power = powers[match?.[1] ?? ''];
  if (match === null || power === undefined) return null;
  return (match[2] === 'b' ? 1000n : 1024n) ** BigInt(power);
}

/**
 * `text` times `unit` (KiB where there is none, or an empty one), in bytes. Rounded up to whole KiB, as libvirt does when it reads a
 * definition (virDomainParseMemory); what libvirt itself writes is always whole KiB.
 * null: not a whole number, an unknown unit, or above 2^53 - 1.
 */
export function parseScaledSize(text: string, unit: string | undefined): Bytes | null {
  const digits = /^\s*(\d{1,20})\s*$/.exec(text)?.[1];
  const scale = bytesOfUnit(unit === undefined || unit === '' ? 'KiB' : unit);
  if (digits === undefined || scale === null) return null;
  const wholeKiB = (BigInt(digits) * scale + 1023n) / 1024n;
  const value = Number(wholeKiB * 1024n);
  return isBytes(value) ? value : null;
}

/** A guest physical address such as `0x100000000`, or in decimal; null: it is none, or above 2^53 - 1. */
export function parseAddress(text: string): Bytes | null {
  const match = /^\s*(0x[0-9a-fA-F]{1,16}|\d{1,20})\s*$/.exec(text);
  const value = match?.[1] === undefined ? NaN : Number(BigInt(match[1]));
  return isBytes(value) ? value : null;
}

/** A whole number from 0 to `max`; null: it is none. */
export function parseCount(text: string | undefined, max: number): number | null {
  const digits = /^\s*(\d{1,10})\s*$/.exec(text ?? '')?.[1];
  if (digits === undefined) return null;
  const value = Number(digits);
  return value <= max ? value : null;
}

/** Host nodes that libvirt knows (VIR_DOMAIN_CPUMASK_LEN, for node sets too). */
const maxNode = 16_383;

/** A node set such as `0-3,^2,8` (virBitmapParse), ascending; null: it is none. */
export function parseNodeSet(text: string): readonly number[] | null {
  const nodes = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\^?)(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part);
    if (match === null) return null;
    const [, excluded, fromText = '', toText = fromText] = match;
    const from = Number(fromText);
    const to = Number(toText);
    if (to < from || to > maxNode) return null;
    for (let node = from; node <= to; node++) {
      if (excluded === '^') nodes.delete(node);
      else nodes.add(node);
    }
  }
  return [...nodes].sort((a, b) => a - b);
}

/** Nodes as libvirt spells them: `0,2,5`. */
export const formatNodeSet = (nodes: readonly number[]): string => nodes.join(',');
