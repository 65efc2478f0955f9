import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { XmlMemo } from '../../../src/drivers/libvirt/xml-memo.ts';
import { readDomainMemory } from '../../../src/libvirt/xml/domain.ts';

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../libvirt/fixtures/domains', `${name}.xml`), 'utf8');

describe('XmlMemo', () => {
  const rich = fixture('rich-running');

  it('gives what reading gives, and the same again for the same text', () => {
    const memo = new XmlMemo();
    const first = memo.read('a', rich);
    expect(first).toEqual(readDomainMemory(rich));
    expect(memo.read('a', rich)).toBe(first);
  });

  it('notices every change, however small, and a change back', () => {
    const memo = new XmlMemo();
    const unit = /(<currentMemory unit='KiB'>)\d/.exec(rich);
    expect(unit).not.toBeNull();
    const other = rich.replace(/(<currentMemory unit='KiB'>)\d/, '$17');
    for (const text of [rich, other, rich]) expect(memo.read('a', text)).toEqual(readDomainMemory(text));
    expect(readDomainMemory(other)).not.toEqual(readDomainMemory(rich));
  });

  it('keeps domains apart, also where nothing can be understood', () => {
    const memo = new XmlMemo();
    const [a, b] = [memo.read('a', rich), memo.read('b', '<domain/>')];
    expect(a.ok).toBe(true);
    expect(b).toEqual(readDomainMemory('<domain/>'));
    expect(b.ok).toBe(false);
    expect(memo.read('a', rich)).toBe(a);
    expect(memo.read('b', '<domain/>')).toBe(b);
  });

  it('forgets the oldest of more than 1,000 domains', () => {
    const memo = new XmlMemo();
    const first = memo.read('0', rich);
    for (let index = 1; index < 1_000; index += 1) memo.read(String(index), '<domain/>');
    expect(memo.read('0', rich)).toBe(first);
    memo.read('1000', '<domain/>');
    const again = memo.read('0', rich);
    expect(again).toEqual(first);
    expect(again).not.toBe(first);
  });
});
