/** Frames as a real libvirtd and its client exchanged them, and ways to break them. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';

type CapturedFrame = { readonly fromDaemon: boolean; readonly procedure: number; readonly bytes: Buffer };

export const capturedFrames: readonly CapturedFrame[] = (
  JSON.parse(readFileSync(new URL('../fixtures/frames.json', import.meta.url), 'utf8')) as {
    dir: string;
    proc: number;
    hex: string;
  }[]
).map(({ dir, proc, hex }) => ({ fromDaemon: dir === 'rx', procedure: proc, bytes: Buffer.from(hex, 'hex') }));

export type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bits: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'word'; readonly at: number; readonly value: number };

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(4_000), bits: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(4_000) }),
  fc.record({
    kind: fc.constant('word' as const),
    at: fc.nat(4_000),
    value: fc.constantFrom(0, 1, 4, 27, 28, 29, 0x7fffffff, 0x80000000, 0xffffffff, 32 * 1024 * 1024),
  }),
);

/** The frame, broken; cut frames are followed by whatever comes next. */
export function mutate(frame: Buffer, change: Mutation): Buffer {
  const bytes = Buffer.from(frame);
  switch (change.kind) {
    case 'flip': {
      const at = change.at % bytes.length;
      bytes.writeUInt8(bytes.readUInt8(at) ^ change.bits, at);
      return bytes;
    }
    case 'cut':
      return bytes.subarray(0, change.at % bytes.length);
    case 'word':
      bytes.writeUInt32BE(change.value, Math.floor((change.at % bytes.length) / 4) * 4);
      return bytes;
  }
}
