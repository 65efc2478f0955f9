/** An empty disk of QEMU's own format: what a snapshot of a running guest is kept in. Made here, as qemu-img may be missing. */
import { writeFileSync } from 'node:fs';

const clusterBits = 16;
const cluster = 2 ** clusterBits;
/** 1 GiB: two tables of the second level. */
const diskBytes = 2 ** 30;

/** Writes an empty disk (docs/interop/qcow2.txt in QEMU's source, version 2): a header, reference counts and one table. */
export function writeEmptyDisk(file: string): void {
  const image = Buffer.alloc(4 * cluster);
  image.write('QFI\xfb', 0, 'latin1');
  image.writeUInt32BE(2, 4);
  image.writeUInt32BE(clusterBits, 20);
  image.writeBigUInt64BE(BigInt(diskBytes), 24);
  image.writeUInt32BE(2, 36);
  image.writeBigUInt64BE(BigInt(3 * cluster), 40);
  image.writeBigUInt64BE(BigInt(cluster), 48);
  image.writeUInt32BE(1, 56);
  // The table of reference counts, which names one block of them: the four clusters of this file are in use.
  image.writeBigUInt64BE(BigInt(2 * cluster), cluster);
  for (let used = 0; used < 4; used += 1) image.writeUInt16BE(1, 2 * cluster + 2 * used);
  writeFileSync(file, image);
}
