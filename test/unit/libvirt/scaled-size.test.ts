import { describe, expect, test } from 'vitest';
import { GiB, KiB, MiB, TiB } from '../../../src/memory/bytes.ts';
import { parseAddress, parseCount, parseNodeSet, parseScaledSize } from '../../../src/libvirt/xml/scaled-size.ts';

describe('parseScaledSize', () => {
  // virScaleInteger: a prefix letter alone or with iB is a power of 1024, with B a power of 1000; case is ignored.
  test.each([
    ['7', undefined, 7 * KiB],
    // virScaleInteger takes an empty unit for none.
    ['7', '', 7 * KiB],
    ['7', 'KiB', 7 * KiB],
    ['7', 'k', 7 * KiB],
    ['7', 'kib', 7 * KiB],
    ['1', 'MiB', MiB],
    ['1', 'm', MiB],
    ['1', 'MB', 977 * KiB],
    ['1', 'KB', KiB],
    ['3', 'G', 3 * GiB],
    ['3', 'GiB', 3 * GiB],
    ['2', 'TiB', 2 * TiB],
    ['1', 'PiB', 1024 * TiB],
    ['1024', 'b', KiB],
    ['1025', 'bytes', 2 * KiB],
    [' \n 4 ', 'byte', KiB],
    ['0', 'EiB', 0],
  ] as const)('reads %s %s', (text, unit, expected) => {
    expect(parseScaledSize(text, unit)).toBe(expected);
  });

  test.each([
    ['-1', 'KiB'],
    ['+1', 'KiB'],
    ['1.0', 'KiB'],
    ['1e3', 'KiB'],
    ['0x10', 'KiB'],
    ['', 'KiB'],
    ['1 2', 'KiB'],
    ['1', 'x'],
    ['1', 'KiBB'],
    ['1', 'ib'],
    ['8', 'PiB'],
    ['99999999999999999999', 'b'],
    ['999999999999999999999', 'b'],
  ])('refuses %s %s', (text, unit) => {
    expect(parseScaledSize(text, unit)).toBeNull();
  });
});

test('addresses are read exactly or not at all', () => {
  expect(
    ['0x100000000', '0X0', '4294967296', '0x1fffffffffffff', '0x20000000000000', 'x', '', '-1'].map(parseAddress),
  ).toEqual([4294967296, null, 4294967296, Number.MAX_SAFE_INTEGER, null, null, null, null]);
});

test('counts are read within their bounds', () => {
  expect(['0', ' 255 ', '256', '-1', '1.5', '', undefined].map((text) => parseCount(text, 255))).toEqual([
    0,
    255,
    null,
    null,
    null,
    null,
    null,
  ]);
});

test('node sets are read as libvirt writes them', () => {
  expect(parseNodeSet('0-3,^2,8')).toEqual([0, 1, 3, 8]);
  expect(parseNodeSet('8,0')).toEqual([0, 8]);
  expect(['', 'a', '3-1', '1-', '0-99999', '1,,2', '-1'].map(parseNodeSet)).toEqual(Array(7).fill(null));
});
