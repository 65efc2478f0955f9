/** Files that are whole or not there, whatever is killed when. */
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, basename } from 'node:path';

/** Brings what was renamed in `folder` to the disk; not every file system can. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch {
    // The rename itself is as durable as this file system makes it.
  } finally {
    await handle.close();
  }
}

/**
 * Replaces the file at `path` by one with `text`, and its folders where they are missing. Once this resolves it outlasts
 * a loss of power if it is `durable`, and the end of this process in any case. Calls for one path must not overlap.
 * @throws the system's error, such as ENOSPC; the file is then as it was before
 */
export async function writeAtomically(path: string, text: string, { durable }: { durable: boolean }): Promise<void> {
  const folder = dirname(path);
  const made = await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${basename(path)}.new`);
  try {
    const handle = await open(temporary, 'w', 0o644);
    try {
      await handle.writeFile(text);
      if (durable) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  if (!durable) return;
  await syncFolder(folder);
  // The folders that were made are entries of their parents.
  for (let each = folder; made !== undefined && each.length >= made.length; each = dirname(each)) {
    await syncFolder(dirname(each));
  }
}

/**
 * Writes `text` into a file that is there, in the room that it has: what a full disk still allows where the text isn't much
 * longer. Whoever reads meanwhile may find half of it. @throws the system's error
 */
export async function overwrite(path: string, text: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    const { bytesWritten } = await handle.write(text, 0);
    await handle.truncate(bytesWritten);
  } finally {
    await handle.close();
  }
}
