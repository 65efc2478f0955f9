import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const POOL = '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages';
const RECORD = 'huge-pages';

/**
 * Adds huge pages of 2 MiB to the machine's pool, for the lab in `directory`. They are the one thing of a lab that
 * outlives its processes, so they are written down there and given back when the directory is removed, if need be by a
 * later lab. Throws when the machine has no memory for them.
 */
export function reserveHugePages(directory: string, count: number): void {
  writeFileSync(join(directory, RECORD), String(count));
  const got = changePool(count);
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
  // Of several labs that sweep the same dead one, one can move the record, and the others throw here.
  const taken = `${record}.${process.pid}`;
  renameSync(record, taken);
  changePool(-Number(readFileSync(taken, 'utf8')));
}

/**
 * Makes the pool that much larger, or smaller; gives by how much it has changed. Whoever changes it holds a lock on it
 * meanwhile (flock(1)): two labs that read the same number before they write theirs would lose the pages of one.
 */
function changePool(by: number): number {
  const script =
    'read -r a <"$0"; w=$((a + $1)); [ "$w" -gt 0 ] || w=0; echo "$w" >"$0"; read -r b <"$0"; echo $((b - a))';
  return Number(
    execFileSync('flock', ['--exclusive', POOL, 'sh', '-euc', script, POOL, String(by)], { encoding: 'utf8' }),
  );
}
