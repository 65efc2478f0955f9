import { expect, test } from 'vitest';
import { HEADER_BYTES, headBytes, readHead, writeHead } from '../../lab/save-image.ts';

/** As `virsh save` of libvirt 9.0 writes it: version 2, the guest was running, not compressed. */
function header(dataLength: number, cookieOffset: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write('LibvirtQemudSave');
  [2, dataLength, 1, 0, cookieOffset].forEach((value, index) => bytes.writeUInt32LE(value, 16 + 4 * index));
  return bytes;
}

const xml = '<domain><name>größer</name></domain>';
const cookie = '<cookie><cpu/></cookie>';
const whole = Buffer.concat([
  header(Buffer.byteLength(xml) + 1 + cookie.length + 1, Buffer.byteLength(xml) + 1),
  Buffer.from(`${xml}\0${cookie}\0`),
]);

test('the head that libvirt wrote is taken apart, and put together again is the same', () => {
  expect(headBytes(whole)).toBe(whole.length);
  const head = readHead(whole);
  expect([head.xml, head.cookie]).toEqual([xml, cookie]);
  expect(writeHead(head).equals(whole)).toBe(true);
});

test('another XML fits where room was left, and QEMU begins at the same place', () => {
  const roomy = writeHead({ ...readHead(whole), bytes: 4096 });
  expect([roomy.length, headBytes(roomy)]).toEqual([4096, 4096]);
  const longer = xml.replace('größer', 'a-much-longer-name');
  const changed = readHead(writeHead({ ...readHead(roomy), xml: longer }));
  expect([changed.xml, changed.cookie, changed.bytes]).toEqual([longer, cookie, 4096]);
  expect(changed.header.readUInt32LE(24)).toBe(1);
});

test('without a cookie there is none afterwards', () => {
  const bare = Buffer.concat([header(Buffer.byteLength(xml) + 1, 0), Buffer.from(`${xml}\0`)]);
  expect(readHead(writeHead({ ...readHead(bare), bytes: 1024 }))).toMatchObject({ xml, cookie: '' });
});

test('what is no such file, is cut off or has no room is told', () => {
  expect(() => headBytes(Buffer.from('LibvirtQemudPart'))).toThrow('no file of `virsh save`');
  expect(() => readHead(whole.subarray(0, whole.length - 1))).toThrow('cut off');
  expect(() => writeHead({ ...readHead(whole), xml: `${xml} ` })).toThrow('do not fit');
});
