import { describe, expect, it } from 'vitest';
import { bytes, gib, kib, mib, subtractBytes, sumBytes, zeroBytes } from '../../../src/memory/bytes.ts';
import { formatMeasured, formatNeeded, formatQuantity, parseQuantity } from '../../../src/memory/quantity.ts';

describe('parseQuantity', () => {
  it.each([
    ['0', 0],
    ['-0', 0],
    ['1408Mi', 1408 * 2 ** 20],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['.5Gi', 2 ** 29],
    ['+2Gi', 2 ** 31],
    ['2.Gi', 2 ** 31],
    ['1e9', 1e9],
    ['1E3', 1000],
    ['12e-1k', null],
    ['1500m', null],
    ['2000m', 2],
    ['1k', 1000],
    ['1Ki', 1024],
    ['7Pi', 7 * 2 ** 50],
    ['9007199254740991', 2 ** 53 - 1],
    ['9007199254740992', null],
    ['8Pi', null],
    ['1e400', null],
    ['-1', null],
    ['0.5', null],
    ['', null],
    ['Gi', null],
    ['1 Gi', null],
    ['1gi', null],
    ['0x10', null],
    ['١', null],
    ['1'.repeat(100), null],
  ])('reads %s as %s bytes', (text, expected) => {
    const parsed = parseQuantity(text);
    expect(parsed.ok ? parsed.value : null).toBe(expected);
  });

  it('says what is wrong', () => {
    expect(parseQuantity('-1')).toEqual({ ok: false, error: "'-1' is negative" });
    expect(parseQuantity('0.5')).toEqual({ ok: false, error: "'0.5' is not a whole number of bytes" });
    expect(parseQuantity('lots')).toEqual({ ok: false, error: "'lots' is not a quantity (6Gi, 1536Mi)" });
  });
});

describe('formatQuantity', () => {
  it.each([
    [zeroBytes, '0'],
    [bytes(1), '1'],
    [kib(1), '1Ki'],
    [mib(1536), '1536Mi'],
    [gib(2), '2Gi'],
    [gib(2048), '2Ti'],
    [bytes(2 ** 30 + 1), '1073741825'],
  ])('writes %d bytes as %s', (size, text) => expect(formatQuantity(size)).toBe(text));
});

describe('sizes in sentences', () => {
  it('never promise more than was measured, nor ask for less than is needed', () => {
    const uneven = bytes(2 ** 27 + 5);
    expect([formatMeasured(uneven), formatNeeded(uneven)]).toEqual(['128Mi', '129Mi']);
    expect([formatMeasured(mib(128)), formatNeeded(mib(128))]).toEqual(['128Mi', '128Mi']);
  });
});

describe('sizes', () => {
  it.each([-1, 0.5, 2 ** 53, Number.NaN, Infinity])('refuses %d', (value) =>
    expect(() => bytes(value, 'boot memory')).toThrow(/boot memory must be a whole number/),
  );

  it('refuses sums and differences that leave the range', () => {
    expect(() => sumBytes([bytes(2 ** 53 - 1), bytes(1)])).toThrow(RangeError);
    expect(() => subtractBytes(mib(1), mib(2))).toThrow(RangeError);
  });
});
