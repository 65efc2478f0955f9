import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bytes, ceilTo, floorTo } from '../../../src/memory/bytes.ts';
import { formatQuantity, parseQuantity } from '../../../src/memory/quantity.ts';

const anySize = fc.maxSafeNat().map((value) => bytes(value));

it('reads back exactly what it wrote', () => {
  fc.assert(
    fc.property(anySize, (size) => {
      expect(parseQuantity(formatQuantity(size))).toEqual({ ok: true, value: size });
    }),
  );
});

it('writes the shortest of all binary forms', () => {
  const units = { Ki: 10, Mi: 20, Gi: 30, Ti: 40 };
  fc.assert(
    fc.property(fc.nat(4096), fc.constantFrom(...Object.values(units)), (count, power) => {
      const size = bytes(count * 2 ** power);
      const forms = Object.entries(units).flatMap(([unit, exponent]) =>
        size % 2 ** exponent === 0 ? [`${size / 2 ** exponent}${unit}`] : [],
      );
      const shortest = Math.min(...forms.map((form) => parseInt(form, 10)));
      expect(size === 0 ? 0 : parseInt(formatQuantity(size), 10)).toBe(shortest);
    }),
  );
});

it('never throws on any text', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 80 }), (text) => {
      expect(typeof parseQuantity(text).ok).toBe('boolean');
    }),
  );
});

it('rounds to multiples that enclose the size', () => {
  const unit = fc.integer({ min: 1, max: 2 ** 31 }).map((value) => bytes(value));
  const size = fc.nat(2 ** 31).map((value) => bytes(value));
  fc.assert(
    fc.property(size, unit, (value, step) => {
      expect(floorTo(value, step) % step).toBe(0);
      expect(ceilTo(value, step) % step).toBe(0);
      expect(value - floorTo(value, step)).toBeLessThan(step);
      expect(ceilTo(value, step) - value).toBeLessThan(step);
    }),
  );
});
