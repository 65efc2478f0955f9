/** A size as people type it. Pure. */
import { GiB, KiB, MiB, TiB } from '../../../memory/bytes.ts';
import { parseQuantity } from '../../../memory/quantity.ts';
import { type Result, succeed } from '../../../memory/result.ts';

const units: Readonly<Record<string, number>> = { K: KiB, M: MiB, G: GiB, T: TiB };

/**
 * Bytes that a text stands for, whole: any quantity, the same with a B or a space (`4 GiB`), and a bare small number in GiB.
 * Parts of a byte are rounded: what comes of it is the nearest size that is offered anyway.
 */
export function readSize(text: string): Result<number, string> {
  const trimmed = text.trim();
  const parsed = parseQuantity(trimmed);
  const isBare = /^\d{1,4}(\.\d+)?$/.test(trimmed);
  if (parsed.ok && !isBare) return parsed;
  const [, digits = '', unit = 'G'] = /^(\d+(?:\.\d+)?)\s*([KMGT]?)i?b?$/i.exec(trimmed) ?? [];
  if (digits === '') return parsed;
  const size = Number(digits) * (units[unit === '' ? 'G' : unit.toUpperCase()] ?? GiB);
  return succeed(Math.min(Number.MAX_SAFE_INTEGER, Math.round(size)));
}
