/** Whatever a server sends ends in a clean failure: no crash, no hang, no growth. */
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Connection } from '../../../src/libvirt/rpc/connection.ts';
import { isLibvirtError } from '../../../src/libvirt/domain/errors.ts';
import { encodeFrame, type Frame, FrameError, FrameSplitter, headerBytes } from '../../../src/libvirt/rpc/frames.ts';
import {
  connectGetAllDomainStats,
  connectGetHostname,
  connectListAllDomains,
} from '../../../src/libvirt/domain/connect-procedures.ts';
import { domainGetJobStats, domainGetXmlDesc } from '../../../src/libvirt/domain/domain-procedures.ts';
import { readRemoteError, readWireDomain } from '../../../src/libvirt/rpc/procedure.ts';
import { XdrError, XdrReader, XdrWriter } from '../../../src/libvirt/rpc/xdr.ts';
import { capturedFrames, mutate, mutation } from '../../unit/libvirt/support/captured-frames.ts';
import { ManualClock, settle } from '../../support/manual-clock.ts';

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const int32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const payload = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
const header = fc.record({
  program: uint32,
  version: uint32,
  procedure: int32,
  type: uint32,
  serial: uint32,
  status: uint32,
});

/** Bytes cut at arbitrary places. */
const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
};

describe('XDR', () => {
  test('gives back what was written, and uses up exactly that', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 50 }),
        fc.uuid(),
        int32,
        uint32,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.option(fc.string({ unit: 'binary' })),
        (text, uuid, signed, unsigned, hyper, maybe) => {
          const written = new XdrWriter().string(text).uuid(uuid).int32(signed).uint32(unsigned).uint64(hyper);
          const bytes = written.optional(maybe, (to, value) => to.string(value)).finish();
          expect(bytes.length % 4).toBe(0);
          const reader = new XdrReader(bytes);
          const read = [reader.string(), reader.uuid(), reader.int32(), reader.uint32(), reader.uint64()];
          expect([...read, reader.optional((from) => from.string())]).toEqual([
            ...[text, uuid, signed, unsigned, hyper],
            maybe,
          ]);
          reader.end();
        },
      ),
    );
  });

  test('of arbitrary bytes is a value or an XdrError, in memory that the bytes bound', () => {
    const decoders: ((reader: XdrReader) => unknown)[] = [
      readRemoteError,
      readWireDomain,
      connectListAllDomains.decode,
      connectGetAllDomainStats.decode,
      domainGetJobStats.decode,
    ];
    fc.assert(
      fc.property(payload, fc.constantFrom(...decoders), (bytes, decode) => {
        try {
          decode(new XdrReader(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(XdrError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('refuses a huge count before it makes room for it', () => {
    for (const count of [0xffffffff, 0x40000001, 16_385]) {
      const bytes = new XdrWriter().uint32(count).uint32(0).finish();
      expect(() => connectListAllDomains.decode(new XdrReader(bytes))).toThrow(XdrError);
    }
  });
});

describe('frames', () => {
  test('come back whole, in order, however the stream is cut', () => {
    const frames = fc.array(fc.record({ header, payload }), { maxLength: 6 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(3_000), { maxLength: 12 }), (sent, places) => {
        const stream = Buffer.concat(sent.map((frame) => encodeFrame(frame.header, frame.payload)));
        const splitter = new FrameSplitter();
        const received: Frame[] = [];
        for (const chunk of cut(stream, places)) {
          splitter.push(chunk, (frame) => received.push({ ...frame, payload: Buffer.from(frame.payload) }));
        }
        expect(received).toEqual(sent);
        expect(splitter.pendingBytes).toBe(0);
      }),
    );
  });

  test('of arbitrary bytes: the splitter never holds more than it was given', () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 8 }), (chunks) => {
        const splitter = new FrameSplitter();
        let given = 0;
        let taken = 0;
        for (const chunk of chunks) {
          given += chunk.length;
          try {
            splitter.push(chunk, (frame) => (taken += headerBytes + frame.payload.length));
          } catch (error) {
            expect(error).toBeInstanceOf(FrameError);
            return;
          }
          expect(splitter.pendingBytes).toBe(given - taken);
        }
      }),
    );
  });
});

test('a connection survives broken frames: every call ends, with a result or a LibvirtError', async () => {
  const fromDaemon = capturedFrames.filter((frame) => frame.fromDaemon).map((frame) => frame.bytes);
  const uuid = '468daee6-16e2-4de6-9ed4-c7547e69f756';
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ frame: fc.constantFrom(...fromDaemon), change: fc.option(mutation) }), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.array(fc.nat(5_000), { maxLength: 5 }),
      async (sequence, places) => {
        const clock = new ManualClock();
        const [client, server] = duplexPair();
        server.resume();
        const closed: string[] = [];
        const connection = new Connection(client, {
          clock,
          keepalive: { intervalMs: 5_000, count: 3 },
          onEvent: () => undefined,
          onClose: (reason) => closed.push(reason),
        });
        connection.startKeepalive();
        const results = [
          connection.call(connectGetHostname, undefined, 1_000),
          connection.call(connectListAllDomains, { flags: 0 }, 1_000),
          connection.call(domainGetXmlDesc, { uuid }, 1_000),
        ].map((call) =>
          call.then(
            () => 'ok',
            (error: unknown) => isLibvirtError(error),
          ),
        );

        // Serials 1 to 3 are those of the calls above, so that mutated replies meet a call that waits for them.
        const bytes = Buffer.concat(
          sequence.map(({ frame, change }, index) => {
            const aimed = Buffer.from(frame);
            if (index < 3) aimed.writeUInt32BE(index + 1, 20);
            return change === null ? aimed : mutate(aimed, change);
          }),
        );
        for (const chunk of cut(bytes, places)) if (!server.destroyed) server.write(chunk);
        await settle();
        await clock.advance(25_000);
        expect((await Promise.all(results)).every((result) => result === 'ok' || result)).toBe(true);
        connection.close('done');
        expect(closed).toHaveLength(1);
        expect(clock.pending).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});
