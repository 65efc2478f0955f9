/** Lays files out in a directory as a package has them. */
import { chmodSync, copyFileSync, lutimesSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PackagedFile } from './files.ts';

/**
 * Writes them below `directory`, everything as old as `date` (seconds since 1970): no byte of a package goes by the day or
 * the machine on which it was made.
 */
export function stageFiles(directory: string, files: readonly PackagedFile[], date: number): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  for (const { path, mode, content } of files) {
    const target = join(directory, path);
    if (content === 'directory') mkdirSync(target, { recursive: true });
    else {
      mkdirSync(dirname(target), { recursive: true });
      if ('file' in content) copyFileSync(content.file, target);
      else writeFileSync(target, content.text);
    }
    chmodSync(target, mode);
  }
  const given = new Set(files.map(({ path }) => join(directory, path)));
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    // Whatever the umask here is.
    if (entry.isDirectory() && !given.has(path)) chmodSync(path, 0o755);
    lutimesSync(path, date, date);
  }
  chmodSync(directory, 0o755);
}
