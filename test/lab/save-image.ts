/**
 * The head of a file of `virsh save`: a header, the domain's XML and a cookie of libvirt's own, each ended by a zero,
 * and zeros up to where QEMU's stream begins (libvirt, src/qemu/qemu_saveimage.h). Pure.
 */

/** What stands before QEMU's stream. */
export type SaveImageHead = {
  readonly xml: string;
  readonly cookie: string;
  /** Where QEMU's stream begins. */
  readonly bytes: number;
  /** The header as libvirt wrote it, for the fields that are none of our business. */
  readonly header: Buffer;
};

const MAGIC = 'LibvirtQemudSave';
export const HEADER_BYTES = 92;
const DATA_LENGTH = 20;
const COOKIE_OFFSET = 32;

/** How many bytes the head has, from the first {@link HEADER_BYTES} of a file. Throws when it is no such file. */
export function headBytes(header: Buffer): number {
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new Error('this is no file of `virsh save`');
  }
  return HEADER_BYTES + header.readUInt32LE(DATA_LENGTH);
}

/** Takes a head apart. Throws when it isn't whole. */
export function readHead(head: Buffer): SaveImageHead {
  const bytes = headBytes(head);
  const cookieAt = head.readUInt32LE(COOKIE_OFFSET);
  const end = cookieAt === 0 ? bytes : HEADER_BYTES + cookieAt;
  if (head.length < bytes || end > bytes) throw new Error('the file of `virsh save` is cut off');
  const text = (from: number, to: number): string => head.toString('utf8', from, to).replace(/\0[\s\S]*$/, '');
  return { xml: text(HEADER_BYTES, end), cookie: text(end, bytes), bytes, header: head.subarray(0, HEADER_BYTES) };
}

/** Puts a head together, of exactly `bytes` bytes. Throws when it doesn't fit. */
export function writeHead({ xml, cookie, bytes, header }: SaveImageHead): Buffer {
  const head = Buffer.alloc(bytes);
  const cookieOffset = Buffer.byteLength(xml) + 1;
  const length = cookieOffset + (cookie === '' ? 0 : Buffer.byteLength(cookie) + 1);
  if (HEADER_BYTES + length > bytes) throw new Error(`${length} bytes of XML do not fit into a head of ${bytes}`);
  header.copy(head);
  head.writeUInt32LE(bytes - HEADER_BYTES, DATA_LENGTH);
  head.writeUInt32LE(cookie === '' ? 0 : cookieOffset, COOKIE_OFFSET);
  head.write(xml, HEADER_BYTES);
  if (cookie !== '') head.write(cookie, HEADER_BYTES + cookieOffset);
  return head;
}
