/** The codec against frames captured from libvirtd 9.0.0 with a real guest. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeEvent, type DomainEvent } from '../../../src/libvirt/domain/events.ts';
import { encodeFrame, type Frame, FrameSplitter } from '../../../src/libvirt/rpc/frames.ts';
import {
  authList,
  connectClose,
  connectListAllDomains,
  connectOpen,
  connectSupportsFeature,
  registerEvent,
} from '../../../src/libvirt/domain/connect-procedures.ts';
import {
  domainAttachDevice,
  domainDetachDeviceAlias,
  domainGetXmlDesc,
  domainLookupByUuid,
} from '../../../src/libvirt/domain/domain-procedures.ts';
import { type Procedure, readRemoteError } from '../../../src/libvirt/rpc/procedure.ts';
import { readDomainMemory } from '../../../src/libvirt/xml/domain.ts';
import { XdrReader, XdrWriter } from '../../../src/libvirt/rpc/xdr.ts';

type Captured = { dir: 'tx' | 'rx'; prog: string; proc: number; type: number; serial: number; hex: string };

const captured = JSON.parse(
  readFileSync(new URL('./fixtures/frames.json', import.meta.url), 'utf8'),
) as readonly Captured[];
const uuid = '468daee6-16e2-4de6-9ed4-c7547e69f756';

function split(chunks: readonly Buffer[]): Frame[] {
  const splitter = new FrameSplitter();
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    splitter.push(chunk, ({ header, payload }) => frames.push({ header, payload: Buffer.from(payload) }));
  }
  expect(splitter.pendingBytes).toBe(0);
  return frames;
}

const stream = Buffer.concat(captured.map((frame) => Buffer.from(frame.hex, 'hex')));
const all = split([stream]);
const of = (dir: 'tx' | 'rx', proc: number): Frame[] =>
  all.filter((_frame, index) => captured[index]?.dir === dir && captured[index].proc === proc);
const payloadOf = (frame: Frame | undefined): Buffer => {
  if (frame === undefined) throw new Error('no such frame was captured');
  return frame.payload;
};

function encode<A>(procedure: Procedure<A, unknown>, args: A): string {
  const writer = new XdrWriter();
  procedure.encode(writer, args);
  return writer.finish().toString('hex');
}

function decode<R>(procedure: Procedure<never, R>, payload: Buffer): R {
  const reader = new XdrReader(payload);
  const result = procedure.decode(reader);
  reader.end();
  return result;
}

describe('captured frames', () => {
  test('are found again in the stream, header by header', () => {
    expect(all.map(({ header }) => [header.program, header.procedure, header.type, header.serial])).toEqual(
      captured.map((frame) => [Number(frame.prog), frame.proc, frame.type, frame.serial]),
    );
  });

  test('come out the same from chunks of one byte', () => {
    expect(split([...stream].map((byte) => Buffer.from([byte])))).toEqual(all);
  });

  test('encode to the same bytes again', () => {
    expect(Buffer.concat(all.map(({ header, payload }) => encodeFrame(header, payload))).equals(stream)).toBe(true);
  });

  test('hold the arguments that the codecs write', () => {
    const hexOf = (proc: number, index = 0): string => payloadOf(of('tx', proc)[index]).toString('hex');
    expect(encode(authList, undefined)).toBe(hexOf(66));
    expect(encode(connectSupportsFeature, { feature: 10 })).toBe(hexOf(60));
    expect(encode(connectOpen, { uri: 'qemu:///system' })).toBe(hexOf(1));
    expect(encode(domainLookupByUuid, { uuid })).toBe(hexOf(24));
    expect(encode(registerEvent, { eventId: 15 })).toBe(hexOf(316, 2));
    expect(encode(connectClose, undefined)).toBe(hexOf(2));
  });

  // Dimmer leaves name and id of a domain out; the rest of the arguments is the same.
  test('hold the arguments that the codecs write for a domain', () => {
    const withoutDomain = (hex: string): string => hex.slice(hex.indexOf(uuid.replaceAll('-', '')) + 32 + 8);
    const captureOf = (proc: number): string => withoutDomain(payloadOf(of('tx', proc)[0]).toString('hex'));
    const xml =
      "<memory model='dimm'><alias name='ua-golden'/><target><size unit='MiB'>128</size><node>0</node></target></memory>";
    expect(withoutDomain(encode(domainAttachDevice, { uuid, xml }))).toBe(captureOf(160));
    expect(withoutDomain(encode(domainDetachDeviceAlias, { uuid, alias: 'ua-golden' }))).toBe(captureOf(392));
    expect(withoutDomain(encode(domainGetXmlDesc, { uuid }))).toBe(captureOf(14));
    expect(encode(domainGetXmlDesc, { uuid })).toBe(`00000000${uuid.replaceAll('-', '')}ffffffff00000000`);
  });

  test('hold the results that the codecs read', () => {
    const result = <R>(procedure: Procedure<never, R>, index = 0): R =>
      decode(procedure, payloadOf(of('rx', procedure.number)[index]));
    expect(result(authList)).toEqual([0]);
    expect(result(connectSupportsFeature)).toBe(true);
    expect(result(connectListAllDomains)).toEqual([{ name: 'g9', uuid, id: 33 }]);
    expect(result(domainLookupByUuid)).toEqual({ name: 'g9', uuid, id: 33 });
    expect(result(registerEvent, 5)).toBe(26);
    expect(readDomainMemory(result(domainGetXmlDesc))).toMatchObject({
      ok: true,
      value: { uuid, name: 'g9', id: 33, maxMemory: { slots: 16 }, modules: [] },
    });
  });

  test('hold the errors that the codec reads', () => {
    const errors = all
      .filter(({ header }) => header.status === 1)
      .map(({ payload }) => {
        const reader = new XdrReader(payload);
        const error = readRemoteError(reader);
        reader.end();
        return error;
      });
    expect(errors).toEqual([
      {
        code: 42,
        domain: 10,
        text: "Domain not found: no domain with matching uuid '00000000-0000-0000-0000-000000000001'",
      },
      { code: 67, domain: 20, text: 'unsupported configuration: non unique alias detected: ua-golden' },
      { code: 1, domain: 20, text: 'internal error: no device found with alias ua-golden' },
    ]);
  });

  test('hold the events that the codec reads', () => {
    const events = all.flatMap(({ header, payload }): (DomainEvent | null)[] =>
      header.type === 2 && header.program === 0x20008086 ? [decodeEvent(header.procedure, new XdrReader(payload))] : [],
    );
    const domain = { uuid, name: 'g9', id: 33 };
    expect(events).toEqual([
      { kind: 'deviceAdded', domain, alias: 'memua-golden' },
      { kind: 'deviceRemoved', domain, alias: 'ua-golden' },
      { kind: 'lifecycle', domain, change: 'shutdown', detail: 2 },
      { kind: 'lifecycle', domain: { ...domain, id: null }, change: 'stopped', detail: 1 },
    ]);
  });
});

describe('the splitter', () => {
  test.each([
    ['below the header', 27],
    ['zero', 0],
    ['above 32 MiB', 32 * 1024 * 1024 + 1],
    ['as large as it can be', 0xffffffff],
  ])('gives up on a length %s', (_name, length) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    expect(() => new FrameSplitter().push(head, () => undefined)).toThrow(/out of range/);
  });

  test('reserves nothing for a length alone', () => {
    const head = Buffer.alloc(28);
    head.writeUInt32BE(32 * 1024 * 1024);
    const splitter = new FrameSplitter();
    const before = process.memoryUsage().arrayBuffers;
    splitter.push(head, () => undefined);
    expect(splitter.pendingBytes).toBe(28);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  test('joins a frame of 32 MiB from small chunks in time that grows with its size', () => {
    const frame = Buffer.alloc(32 * 1024 * 1024);
    frame.writeUInt32BE(frame.length);
    const splitter = new FrameSplitter();
    let frames = 0;
    for (let at = 0; at < frame.length; at += 4096) splitter.push(frame.subarray(at, at + 4096), () => frames++);
    expect(frames).toBe(1);
    expect(splitter.pendingBytes).toBe(0);
  });
});
