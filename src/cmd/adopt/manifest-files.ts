/** The directory that `dimmer adopt` writes manifests into. No file that is there is ever changed. */
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFiles } from '../../standalone/find-files.ts';

/** Which of `uuids` a file of the directory speaks of, by uuid. @throws the system's error when it can't be read */
export async function findNamed(folder: string, uuids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  mkdirSync(folder, { recursive: true });
  const named = new Map<string, string>();
  const { files } = await findFiles(folder);
  for (const { path } of files) {
    const text = (await readFile(path, 'utf8')).toLowerCase();
    for (const uuid of uuids) if (text.includes(uuid.toLowerCase()) && !named.has(uuid)) named.set(uuid, path);
  }
  return named;
}

/**
 * Writes a manifest that nobody sees before it is whole: a `dimmer standalone` may follow the directory. False: there is
 * a file of that name, which stays as it is. @throws the system's error
 */
export function writeNew(folder: string, name: string, text: string): boolean {
  const hidden = join(folder, `.${name}.${process.pid}`);
  writeFileSync(hidden, text, { flag: 'wx', flush: true });
  try {
    // Unlike a rename it fails where a file is in the way.
    linkSync(hidden, join(folder, name));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(hidden, { force: true });
  }
}
