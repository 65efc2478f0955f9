import { cpSync, existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheDirectory } from './directory.ts';

/**
 * libvirt asks QEMU for its abilities before it starts a guest, and keeps the answer: 4 s saved for a daemon that
 * starts with an empty cache directory. It checks by itself that an answer still fits the QEMU and libvirt installed.
 */
export function restoreCapabilities(libvirtCache: string): void {
  const kept = keptDirectory();
  if (existsSync(kept))
    cpSync(kept, join(libvirtCache, 'qemu/capabilities'), { recursive: true, preserveTimestamps: true });
}

/**
 * Keeps the answers in a libvirt cache directory for the labs to come. Copies are made outside the kept directory and
 * moved into it, so that a lab that reads it at the same time finds whole files, and none that goes away.
 */
export function saveCapabilities(libvirtCache: string): void {
  const kept = keptDirectory();
  mkdirSync(kept, { recursive: true });
  sweepUnfinished();
  const unfinished = `${kept}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    for (const file of globSync(join(libvirtCache, 'qemu/capabilities/*.xml'))) {
      const copy = join(unfinished, basename(file));
      cpSync(file, copy, { preserveTimestamps: true });
      renameSync(copy, join(kept, basename(file)));
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** What labs that were killed have left; of a living one nothing is touched. */
function sweepUnfinished(): void {
  for (const directory of globSync(`${keptDirectory()}.*`)) {
    const pid = directory.slice(directory.lastIndexOf('.') + 1);
    if (!existsSync(`/proc/${pid}`)) rmSync(directory, { recursive: true, force: true });
  }
}

function keptDirectory(): string {
  return join(cacheDirectory(), 'libvirt-capabilities');
}
