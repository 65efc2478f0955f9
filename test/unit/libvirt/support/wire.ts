/** The daemon's half of the payloads, written independently of the code under test. */

const u32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value >>> 0);
  return buffer;
};

export const wire = {
  int: u32,
  hyper: (value: bigint): Buffer => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64BE(value);
    return buffer;
  },
  string: (text: string): Buffer => {
    const bytes = Buffer.from(text);
    return Buffer.concat([u32(bytes.length), bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  },
  uuid: (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex'),
  domain: (uuid: string, name: string, id: number): Buffer =>
    Buffer.concat([wire.string(name), wire.uuid(uuid), u32(id)]),
  /** struct remote_error with a message and nothing else. */
  error: (code: number, domain: number, text: string): Buffer =>
    Buffer.concat([
      ...[u32(code), u32(domain), u32(1), wire.string(text), u32(2), u32(0)],
      ...[u32(0), u32(0), u32(0), u32(0), u32(0), u32(0)],
    ]),
};

/** A frame as libvirt's documentation describes it. */
export function frameBytes(
  header: { program?: number; procedure: number; type: number; serial?: number; status?: number },
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const fields = [
    28 + payload.length,
    header.program ?? 0x20008086,
    1,
    header.procedure,
    header.type,
    header.serial ?? 0,
    header.status ?? 0,
  ];
  return Buffer.concat([...fields.map(u32), payload]);
}
