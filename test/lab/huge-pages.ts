import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const POOL = '/sys/kernel/mm/hugepages/hugepages-2048kB';
const RECORD = 'huge-pages';

/**
 * Adds huge pages of 2 MiB to the machine's pool, for the lab in `directory`. They are the one thing of a lab that
 * outlives its processes, so they are written down there and given back when the directory is removed, if need be by a
 * later lab. Throws when the machine has no memory for them.
 */
export function reserveHugePages(directory: string, count: number): void {
  const before = poolSize();
  writeFileSync(join(directory, RECORD), String(count));
  writeFileSync(`${POOL}/nr_hugepages`, String(before + count));
  const got = poolSize() - before;
  writeFileSync(join(directory, RECORD), String(got));
  if (got < count) {
    releaseHugePages(directory);
    throw new Error(`the machine has only ${got} of ${count} huge pages of 2 MiB to give`);
  }
}

/** Takes back what {@link reserveHugePages} did for this lab; nothing if it wasn't called. */
export function releaseHugePages(directory: string): void {
  const record = join(directory, RECORD);
  if (!existsSync(record)) return;
  const count = Number(readFileSync(record, 'utf8'));
  writeFileSync(record, '0');
  writeFileSync(`${POOL}/nr_hugepages`, String(Math.max(0, poolSize() - count)));
}

function poolSize(): number {
  return Number(readFileSync(`${POOL}/nr_hugepages`, 'utf8'));
}
