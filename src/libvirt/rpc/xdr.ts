/**
 * XDR (RFC 4506), as far as libvirt's remote protocol needs it. Everything read is bounded: by the payload that is
 * there and by the limits of libvirt's remote_protocol.x.
 */

/** A payload that isn't what its type says. Stays inside this room: the connection turns it into its own failure. */
export class XdrError extends Error {
  override readonly name = 'XdrError';
}

/** REMOTE_STRING_MAX in remote_protocol.x. */
const maxStringBytes = 4 * 1024 * 1024;

const padding = (length: number): number => (4 - (length % 4)) % 4;

/** Reads one payload from front to back. Every method throws {@link XdrError} when the payload doesn't fit it. */
export class XdrReader {
  readonly #buffer: Buffer;
  #offset = 0;

  constructor(payload: Uint8Array) {
    this.#buffer = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#buffer.length - this.#offset;
  }

  #take(length: number, what: string): number {
    if (length > this.remaining) {
      throw new XdrError(`${what} needs ${length} bytes, the payload has ${this.remaining} left`);
    }
    const at = this.#offset;
    this.#offset += length;
    return at;
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4, 'int'));
  }

  uint32(): number {
    return this.#buffer.readUInt32BE(this.#take(4, 'unsigned int'));
  }

  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8, 'hyper'));
  }

  uint64(): bigint {
    return this.#buffer.readBigUInt64BE(this.#take(8, 'unsigned hyper'));
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.#take(8, 'double'));
  }

  /** Bytes that aren't UTF-8 become U+FFFD: names are shown, never used to identify. */
  string(): string {
    const length = this.uint32();
    if (length > maxStringBytes) throw new XdrError(`string of ${length} bytes is above ${maxStringBytes}`);
    const at = this.#take(length, 'string');
    this.#take(padding(length), 'padding');
    return this.#buffer.toString('utf8', at, at + length);
  }

  /** A UUID in its 36-character lower-case form. */
  uuid(): string {
    const at = this.#take(16, 'uuid');
    const hex = this.#buffer.toString('hex', at, at + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  optional<T>(read: (reader: XdrReader) => T): T | null {
    const present = this.uint32();
    if (present > 1) throw new XdrError(`optional is marked ${present}, not 0 or 1`);
    return present === 1 ? read(this) : null;
  }

  /** @param max items libvirt's protocol allows in this array */
  array<T>(max: number, read: (reader: XdrReader) => T): T[] {
    const count = this.uint32();
    // No XDR value takes less than 4 bytes: a count that can't fit is refused before anything is allocated.
    if (count > max || count * 4 > this.remaining) throw new XdrError(`array of ${count} items doesn't fit`);
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read(this));
    return items;
  }

  /** The payload can't go on like this. */
  fail(problem: string): never {
    throw new XdrError(problem);
  }

  /** The payload must be used up. */
  end(): void {
    if (this.remaining !== 0) throw new XdrError(`${this.remaining} bytes are left over`);
  }
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether `text` is a UUID in its 36-character form. */
export const isUuid = (text: string): boolean => uuidPattern.test(text);

/** Writes one payload. */
export class XdrWriter {
  readonly #parts: Buffer[] = [];

  int32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  uint32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  uint64(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64BE(value);
    this.#parts.push(part);
    return this;
  }

  /** @throws XdrError above 4 MiB */
  string(value: string): this {
    const text = Buffer.from(value, 'utf8');
    if (text.length > maxStringBytes) throw new XdrError(`string of ${text.length} bytes is above ${maxStringBytes}`);
    this.uint32(text.length);
    this.#parts.push(text, Buffer.alloc(padding(text.length)));
    return this;
  }

  /** @throws XdrError when `value` isn't a 36-character UUID */
  uuid(value: string): this {
    if (!isUuid(value)) throw new XdrError(`'${value.slice(0, 64)}' is not a UUID`);
    this.#parts.push(Buffer.from(value.replaceAll('-', ''), 'hex'));
    return this;
  }

  optional<T>(value: T | null, write: (writer: this, value: T) => void): this {
    this.uint32(value === null ? 0 : 1);
    if (value !== null) write(this, value);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
