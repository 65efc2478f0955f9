import { describe, expect, it } from 'vitest';
import { columns, counted, wrap } from '../../../src/memory/lines.ts';

describe('wrap', () => {
  it('fills lines with whole words, whatever stood between them', () => {
    expect(wrap('a line  of\nfive short words', 10)).toEqual(['a line of', 'five short', 'words']);
  });
  it('leaves a word whole that is longer than a line', () => {
    expect(wrap('see https://dimmer.dev/problems now', 10)).toEqual(['see', 'https://dimmer.dev/problems', 'now']);
  });
});

describe('columns', () => {
  it('are as wide as their widest cell, without blanks at the end', () => {
    expect(
      columns([
        ['a', 'bcd', 'e'],
        ['fgh', 'i', ''],
      ]),
    ).toEqual(['a    bcd  e', 'fgh  i']);
  });
  it('end together where they are said to, and are left out where nothing is in them', () => {
    expect(
      columns(
        [
          ['1', '', 'x'],
          ['10', '', 'y'],
        ],
        [0],
      ),
    ).toEqual([' 1  x', '10  y']);
  });
});

it('counts one and many', () => {
  expect([counted(1, 'module'), counted(0, 'module'), counted(3, 'slot')]).toEqual([
    '1 module',
    '0 modules',
    '3 slots',
  ]);
});
