/**
 * Guests that have booted once on this machine, kept as files of `virsh save` in the lab's cache: restored, one answers in
 * less than a second, where booting takes five of a processor. It is a run of its own, of a new QEMU, as a guest is that
 * was migrated; its kernel goes on where the kept one stood.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream, createWriteStream, existsSync, globSync } from 'node:fs';
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { copyFile, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cacheDirectory } from './directory.ts';
import type { GuestFiles } from './guest-handle.ts';
import { escapeXml, type GuestHardware, guestXml } from './guest-xml.ts';
import { SEARCH_PATH } from './run.ts';
import { HEADER_BYTES, headBytes, readHead, type SaveImageHead, writeHead } from './save-image.ts';

/** A guest by what makes it another one than its likes. */
export type GuestIdentity = GuestFiles & { readonly directory: string; readonly name: string; readonly uuid: string };

/** Room in the head for longer names and paths than those of the guest that was kept. */
const ROOM_BYTES = 16 * 1024;
const UNUSED_DAYS = 7;

/** Where the state of a guest with this hardware is kept, or would be: named by all that a restored guest depends on. */
export function savedGuestFile(hardware: GuestHardware, who: GuestIdentity): string {
  const anybody = { name: '@', uuid: '@', consoleLog: '@', shellSocket: '@' };
  const hash = createHash('sha256');
  hash.update(readFileSync(import.meta.filename));
  hash.update(guestXml({ ...hardware, ...anybody }).replaceAll(who.directory, '@'));
  hash.update(hardware.boot?.kernelVersion ?? '');
  for (const program of ['qemu-system-x86_64', 'libvirtd']) hash.update(programIdentity(program));
  return join(savedDirectory(), `${hash.digest('hex').slice(0, 16)}.save`);
}

/** Size and time of change: an update of the package changes both, and asking the program takes longer. */
function programIdentity(program: string): string {
  const path = SEARCH_PATH.split(':')
    .map((directory) => join(directory, program))
    .find((candidate) => existsSync(candidate));
  const stat = path === undefined ? null : statSync(path);
  return `${program} ${stat?.size ?? 0} ${stat?.mtimeMs ?? 0}`;
}

/** Keeps what `virsh save` wrote of a guest in `saved`, under the name of {@link savedGuestFile}; `saved` is gone then. */
export async function keepSavedGuest(saved: string, kept: string, who: GuestIdentity): Promise<void> {
  mkdirSync(savedDirectory(), { recursive: true });
  sweep();
  // Moved into its place when it is whole: another lab may be looking for it.
  const unfinished = `${kept}.${process.pid}`;
  try {
    const head = await readHeadOf(saved);
    const bytes = Math.ceil((head.bytes + ROOM_BYTES) / 4096) * 4096;
    await writeFile(unfinished, writeHead({ ...head, bytes, xml: forAnybody(head.xml, who) }));
    await pipeline(createReadStream(saved, { start: head.bytes }), createWriteStream(unfinished, { flags: 'a' }));
    await rename(unfinished, kept);
  } finally {
    await rm(unfinished, { force: true });
    await rm(saved, { force: true });
  }
}

/** Makes a file for `virsh restore` of a kept one, for this guest. */
export async function addressSavedGuest(kept: string, target: string, who: GuestIdentity): Promise<void> {
  const now = new Date();
  utimesSync(kept, now, now);
  await copyFile(kept, target, constants.COPYFILE_FICLONE);
  const head = await readHeadOf(target);
  const file = await open(target, 'r+');
  try {
    await file.write(writeHead({ ...head, xml: forOne(head.xml, who) }), 0, head.bytes, 0);
  } finally {
    await file.close();
  }
}

async function readHeadOf(path: string): Promise<SaveImageHead> {
  const file = await open(path);
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    await file.read(header, 0, HEADER_BYTES, 0);
    const head = Buffer.alloc(headBytes(header));
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return readHead(head.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

const NAME = /<name>[^<]*<\/name>/;

/** Takes out of a domain's XML what belongs to one guest only. */
function forAnybody(xml: string, { directory, uuid, consoleLog, shellSocket }: GuestIdentity): string {
  return xml
    .replace(NAME, '<name>@NAME@</name>')
    .replaceAll(escapeXml(consoleLog), '@CONSOLE@')
    .replaceAll(escapeXml(shellSocket), '@SHELL@')
    .replaceAll(uuid, '@UUID@')
    .replaceAll(directory, '@DIRECTORY@');
}

function forOne(xml: string, { directory, name, uuid, consoleLog, shellSocket }: GuestIdentity): string {
  return xml
    .replace(NAME, () => `<name>${escapeXml(name)}</name>`)
    .replaceAll('@CONSOLE@', () => escapeXml(consoleLog))
    .replaceAll('@SHELL@', () => escapeXml(shellSocket))
    .replaceAll('@UUID@', uuid)
    .replaceAll('@DIRECTORY@', () => directory);
}

/** Removes what nobody has used for a week (each has the size of what its guest uses), and what killed labs have left. */
function sweep(): void {
  const oldest = Date.now() - UNUSED_DAYS * 86_400_000;
  for (const file of globSync(join(savedDirectory(), '*.save*'))) {
    const owner = /\.save\.(\d+)$/.exec(basename(file))?.[1];
    const isDead = owner !== undefined && !existsSync(`/proc/${owner}`);
    if (isDead || (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < oldest)
      rmSync(file, { force: true });
  }
}

const savedDirectory = (): string => join(cacheDirectory(), 'saved-guests');
