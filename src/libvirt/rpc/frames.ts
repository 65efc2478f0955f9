/** Frames of libvirt's RPC: a 28-byte big-endian header (virnetprotocol.x), then an XDR payload. */

export const headerBytes = 28;
/** libvirt's own limit (VIR_NET_MESSAGE_MAX) is 32 MiB plus the length word in current releases. */
const maxFrameBytes = 32 * 1024 * 1024;

/** Programs of the protocol. */
export const remoteProgram = 0x20008086;
export const keepaliveProgram = 0x6b656570;

/** enum virNetMessageType */
export const frameType = { call: 0, reply: 1, message: 2 } as const;
/** enum virNetMessageStatus */
export const frameStatus = { ok: 0, error: 1 } as const;

export type FrameHeader = {
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  readonly type: number;
  /** Echoed by the reply to a call; of no meaning in a message. */
  readonly serial: number;
  readonly status: number;
};

export type Frame = { readonly header: FrameHeader; readonly payload: Buffer };

/** The stream can't be split into frames any more. Stays inside this room. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** @throws FrameError when the frame would be above {@link maxFrameBytes} */
export function encodeFrame(header: FrameHeader, payload: Uint8Array): Buffer {
  const length = headerBytes + payload.length;
  if (length > maxFrameBytes) throw new FrameError(`frame of ${length} bytes is above ${maxFrameBytes}`);
  const frame = Buffer.allocUnsafe(length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(header.program, 4);
  frame.writeUInt32BE(header.version, 8);
  frame.writeInt32BE(header.procedure, 12);
  frame.writeUInt32BE(header.type, 16);
  frame.writeUInt32BE(header.serial, 20);
  frame.writeUInt32BE(header.status, 24);
  frame.set(payload, headerBytes);
  return frame;
}

/** @param frame one whole frame */
function decodeFrame(frame: Buffer): Frame {
  return {
    header: {
      program: frame.readUInt32BE(4),
      version: frame.readUInt32BE(8),
      procedure: frame.readInt32BE(12),
      type: frame.readUInt32BE(16),
      serial: frame.readUInt32BE(20),
      status: frame.readUInt32BE(24),
    },
    payload: frame.subarray(headerBytes),
  };
}

const initialCapacity = 64 * 1024;
/** A buffer grown for one huge frame isn't kept for ever. */
const keptCapacity = 1024 * 1024;

/**
 * Splits a byte stream into frames, however it is cut into chunks. Holds at most one incomplete frame, and grows only
 * as bytes arrive: a length alone reserves nothing.
 */
export class FrameSplitter {
  #buffer: Buffer = Buffer.alloc(0);
  #used = 0;

  /** Bytes held back until their frame is complete. */
  get pendingBytes(): number {
    return this.#used;
  }

  /**
   * Takes the next chunk and hands over every frame that it completes. The payload is a view that is valid only
   * during the call of `onFrame`.
   * @throws FrameError when a length is below 28 or above 32 MiB; the stream is then lost
   */
  push(chunk: Buffer, onFrame: (frame: Frame) => void): void {
    if (this.#used === 0) {
      const rest = this.#split(chunk, onFrame);
      if (rest < chunk.length) this.#append(chunk.subarray(rest));
      return;
    }
    this.#append(chunk);
    const rest = this.#split(this.#buffer.subarray(0, this.#used), onFrame);
    if (rest === 0) return;
    this.#buffer.copyWithin(0, rest, this.#used);
    this.#used -= rest;
    if (this.#used === 0 && this.#buffer.length > keptCapacity) this.#buffer = Buffer.alloc(0);
  }

  /** @returns how many bytes of `bytes` were whole frames */
  #split(bytes: Buffer, onFrame: (frame: Frame) => void): number {
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length < headerBytes || length > maxFrameBytes)
        throw new FrameError(`frame length ${length} is out of range`);
      if (bytes.length - at < length) break;
      onFrame(decodeFrame(bytes.subarray(at, at + length)));
      at += length;
    }
    return at;
  }

  #append(chunk: Buffer): void {
    const needed = this.#used + chunk.length;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, initialCapacity, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#used);
      this.#buffer = grown;
    }
    chunk.copy(this.#buffer, this.#used);
    this.#used = needed;
  }
}
