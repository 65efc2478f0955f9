/**
 * One process a state directory. The lock is the kernel's, by way of SQLite, which Node brings along: it ends with the
 * process however that ends, so that there is no stale one to be judged by a pid.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface StateLock {
  release(): void;
}

/** Takes the lock. @throws Error that names who has it */
export function lockState(folder: string): StateLock {
  const holderFile = join(folder, 'holder');
  const database = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
  try {
    // In memory, so that nothing is left beside the file; the lock is the file's all the same.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== 5) throw error;
    throw new Error(`the state directory ${folder} is used by another dimmer standalone${describeHolder(holderFile)}`, {
      cause: error,
    });
  }
  try {
    writeFileSync(holderFile, `${process.pid}\n`);
  } catch {
    // It only helps to name us; a full disk must not keep us from looking.
  }
  return { release: () => database.close() };
}

function describeHolder(file: string): string {
  try {
    return ` (process ${readFileSync(file, 'utf8').trim()})`;
  } catch {
    return '';
  }
}
