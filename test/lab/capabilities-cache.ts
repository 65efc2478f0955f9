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

/** Keeps the answers in a libvirt cache directory for the labs to come. */
export function saveCapabilities(libvirtCache: string): void {
  const kept = keptDirectory();
  mkdirSync(kept, { recursive: true });
  for (const file of globSync(join(libvirtCache, 'qemu/capabilities/*.xml'))) {
    const target = join(kept, basename(file));
    const unfinished = `${target}.${process.pid}`;
    cpSync(file, unfinished, { preserveTimestamps: true });
    renameSync(unfinished, target);
  }
  for (const leftover of globSync(join(kept, '*.xml.*'))) rmSync(leftover, { force: true });
}

function keptDirectory(): string {
  return join(cacheDirectory(), 'libvirt-capabilities');
}
