import { describe, expect, test } from 'vitest';
import { type Bytes, bytes, gib, mib } from '../../../src/memory/bytes.ts';
import { aliasOfSlot } from '../../../src/memory/module.ts';
import { type DimmRequest, writeDimmXml } from '../../../src/libvirt/xml/device.ts';

const request: DimmRequest = { slot: 3, alias: aliasOfSlot(3), size: gib(1), node: 0 };

describe('writeDimmXml', () => {
  test('writes a module of ordinary memory', () => {
    expect(writeDimmXml(request)).toBe(
      '<memory model="dimm"><target><size unit="KiB">1048576</size><node>0</node></target>' +
        '<alias name="ua-dimmer-3"/><address type="dimm" slot="3"/></memory>',
    );
  });

  test('writes huge pages, host nodes and a base', () => {
    const xml = writeDimmXml({ ...request, pageSize: mib(2), hostNodes: [0, 2], base: bytes(0x100000000) });
    expect(xml).toBe(
      '<memory model="dimm"><source><nodemask>0,2</nodemask><pagesize unit="KiB">2048</pagesize></source>' +
        '<target><size unit="KiB">1048576</size><node>0</node></target>' +
        '<alias name="ua-dimmer-3"/><address type="dimm" slot="3" base="0x100000000"/></memory>',
    );
  });

  const bad: [string, Partial<DimmRequest>][] = [
    ['slot 256', { slot: 256 }],
    ['a negative slot', { slot: -1 }],
    ['half a slot', { slot: 1.5 }],
    ['an alias that libvirt would replace', { alias: 'dimm3' }],
    ['an alias with XML in it', { alias: `ua-x'/><interface/><alias name='` }],
    ['an alias without end', { alias: `ua-${'x'.repeat(100)}` }],
    ['size 0', { size: 0 as Bytes }],
    ['a size that is no whole KiB', { size: bytes(1025) }],
    ['a negative size', { size: -1024 as Bytes }],
    ['no number as size', { size: NaN as Bytes }],
    ['node -1', { node: -1 }],
    ['a page size of 1 byte', { pageSize: bytes(1) }],
    ['no host node', { hostNodes: [] }],
    ['host node NaN', { hostNodes: [0, NaN] }],
    ['a negative base', { base: -1 as Bytes }],
  ];
  test.each(bad)('refuses %s', (_name, wrong) => {
    expect(() => writeDimmXml({ ...request, ...wrong })).toThrow(RangeError);
  });
});
