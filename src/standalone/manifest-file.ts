/** The file that holds a resource's manifest, and writing values into it. */
import { chmod, chown, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Result } from '../memory/result.ts';
import { findManifests, type SpecValues } from './edit-manifest.ts';
import { type FoundFile, findFiles, readWhole } from './find-files.ts';

export type ManifestFile = {
  /** Below the directory of manifests, for people. */
  readonly name: string;
  /** `spec` as it is written there; what isn't has no member. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** Puts these there, all or none. False: the file isn't any more what it was. @throws Error in words for people */
  readonly write: (values: SpecValues) => Promise<boolean>;
  /** Whether these could be put there; nothing is written. @throws Error in words for people */
  readonly check: (values: SpecValues) => void;
};

/** Finds it. @throws Error in words for people where there is none, or several */
export async function findManifestFile(
  directory: string,
  resource: { readonly namespace: string; readonly name: string },
): Promise<ManifestFile> {
  const found: ManifestFile[] = [];
  for (const file of (await findFiles(directory)).files) {
    const read = await readWhole(file);
    if (!read.ok) continue;
    const { text, signature } = read.value;
    const textOf = (edited: Result<string, string>): string => {
      if (!edited.ok) throw new Error(`${file.name}: ${edited.error}`);
      return edited.value;
    };
    found.push(
      ...findManifests(text, resource).map(({ spec, withValues }): ManifestFile => ({
        name: file.name,
        spec,
        write: async (values) => replaceFile(file, signature, textOf(withValues(values))),
        check: (values) => void textOf(withValues(values)),
      })),
    );
  }
  const [only, ...others] = found;
  const which = `VirtualMachineMemory ${resource.namespace}/${resource.name}`;
  if (only === undefined) throw new Error(`${directory} has no manifest of ${which} that can be read`);
  if (others.length > 0) {
    throw new Error(`${which} is written more than once: ${found.map(({ name }) => name).join(', ')}`);
  }
  return only;
}

/** Replaces a file at once, with its mode and owner, if it is still the one that was read. */
async function replaceFile(file: FoundFile, signature: string, text: string): Promise<boolean> {
  const path = await realpath(file.path);
  if (path.includes('/..')) {
    throw new Error(
      `${file.name} is a ConfigMap's or a Secret's file, which is written anew from there: change it there`,
    );
  }
  const { mode, uid, gid } = await stat(path);
  // Its name isn't a manifest's, so that whoever watches the directory doesn't see half of it.
  const temporary = join(dirname(path), `.${basename(path)}.new`);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(temporary, mode);
    await chown(temporary, uid, gid).catch(() => undefined);
    const now = await readWhole(file);
    if (!now.ok || now.value.signature !== signature) {
      await rm(temporary, { force: true });
      return false;
    }
    await rename(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Somebody else's, who is writing it just now, or was killed.
    if (code === 'EEXIST')
      throw new Error(`${temporary} is there already: is somebody else writing it?`, { cause: error });
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}
