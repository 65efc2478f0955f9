/** The files of manifests below a directory, as `kubectl apply -R -f` finds them, and what tells one state of a file from another. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import type { BigIntStats, Dirent } from 'node:fs';
import { join } from 'node:path';
import { fail, type Result, succeed } from '../memory/result.ts';

export type FoundFile = {
  /** Below the directory. */
  readonly name: string;
  readonly path: string;
  /** Which file it is, links followed: another one after a rename onto it, or after a link was turned. */
  readonly identity: string;
  /** The same with its size and times: another one after every change. */
  readonly signature: string;
  /** Its entry in the folder was made after its last byte was written: it was renamed, or is behind a link. */
  readonly isMoved: boolean;
  /** Nothing has happened to it for a while. */
  readonly isOld: boolean;
};

export type Found = { readonly files: readonly FoundFile[]; readonly folders: readonly string[] };

const extensions = ['.yaml', '.yml', '.json'];
const oldMs = 1_000;
/** A manifest is a few hundred bytes; whatever this is, it is none. */
const mostBytes = 16 * 2 ** 20;

/** Whose name begins with a dot is nobody's manifest: what editors write, and the folders behind a ConfigMap's links. */
const isHidden = (name: string): boolean => name.startsWith('.');

/** Finds what is there now. @throws the system's error when `root` can't be read */
export async function findFiles(root: string): Promise<Found> {
  const files: FoundFile[] = [];
  const folders: string[] = [];
  const seen = new Set<string>();
  const realRoot = await realpath(root);

  /** `real`: the folder, links followed. */
  async function visit(folder: string, real: string, below: string): Promise<void> {
    // A link that leads back up.
    if (seen.has(real)) return;
    seen.add(real);
    const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !isHidden(name)).sort(byName);
    folders.push(folder);
    const paths = entries.map(({ name }) => join(folder, name));
    // null: gone meanwhile, or a link to nothing.
    const allFacts = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => null)));
    for (const [index, entry] of entries.entries()) {
      const [path, facts] = [paths[index], allFacts[index]];
      if (path === undefined || facts === undefined || facts === null) continue;
      const name = join(below, entry.name);
      const isManifest = facts.isFile() && extensions.some((extension) => entry.name.endsWith(extension));
      if (!isManifest && !facts.isDirectory()) continue;
      const realPath = entry.isSymbolicLink() ? await realpath(path).catch(() => path) : join(real, entry.name);
      if (isManifest)
        files.push(describe({ path, name, isLinked: realPath !== join(realRoot, name) }, realPath, facts));
      else await visit(path, realPath, name).catch(() => undefined);
    }
  }

  await visit(root, realRoot, '');
  return { files, folders };
}

const byName = (a: Dirent, b: Dirent): number => (a.name < b.name ? -1 : 1);

type Place = { readonly path: string; readonly name: string; readonly isLinked: boolean };

/** @param real the file, links followed */
function describe({ path, name, isLinked }: Place, real: string, facts: BigIntStats): FoundFile {
  const identity = `${facts.dev}:${facts.ino}:${real}`;
  const ageMs = Date.now() - Number(facts.ctimeMs);
  return {
    name,
    path,
    identity,
    signature: signatureOf(identity, facts),
    // rename(2) sets the time of the last change of the inode, and write(2) both (ext4, xfs, btrfs, tmpfs, apfs).
    isMoved: facts.size > 0n && (facts.ctimeNs > facts.mtimeNs || isLinked),
    isOld: ageMs > oldMs,
  };
}

const signatureOf = (identity: string, { size, mtimeNs, ctimeNs }: BigIntStats): string =>
  `${identity}:${size}:${mtimeNs}:${ctimeNs}`;

/** The text of a file, and its signature once it was read. */
export async function readWhole(file: FoundFile): Promise<Result<{ text: string; signature: string }, string>> {
  try {
    const before = await stat(file.path);
    if (before.size > mostBytes) return fail(`is larger than ${mostBytes / 2 ** 20} MiB`);
    const bytes = await readFile(file.path);
    const after = await stat(file.path, { bigint: true });
    const identity = `${after.dev}:${after.ino}:${await realpath(file.path)}`;
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return succeed({ text, signature: signatureOf(identity, after) });
  } catch (error) {
    if (error instanceof TypeError) return fail('is not UTF-8');
    return fail(`can't be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}
