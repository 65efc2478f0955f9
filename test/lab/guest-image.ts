import { createHash } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ensurePackageLists, unpackPackages } from './apt.ts';
import { cacheDirectory } from './directory.ts';
import { withFileLock } from './lock.ts';
import type { Report } from './progress.ts';
import { run, runOk } from './run.ts';

/** What a guest boots from. */
export type GuestImage = {
  readonly kernel: string;
  readonly initramfs: string;
  readonly kernelVersion: string;
};

const SOURCES = join(import.meta.dirname, 'guest');
const KERNEL_PACKAGE = 'linux-image-cloud-amd64';

// A package's files have no modules.dep (depmod makes it at installation), so all that is needed is named here.
const MODULES = [
  ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'],
  ...['virtio_balloon', 'virtio_mem', 'virtio_console', 'notifier-error-inject', 'memory-notifier-error-inject'],
];

/** The image that is there, without making anything; null when none is. */
export function findGuestImage(): GuestImage | null {
  const directory = imageDirectory();
  const version = join(directory, 'kernel-version');
  if (!existsSync(version)) return null;
  return {
    kernel: join(directory, 'kernel'),
    initramfs: join(directory, 'initramfs'),
    kernelVersion: readFileSync(version, 'utf8').trim(),
  };
}

/** Gives the guest image, downloading a kernel (27 MB) and busybox and packing them first if need be. */
export async function ensureGuestImage(report: Report): Promise<GuestImage> {
  const directory = imageDirectory();
  mkdirSync(dirname(directory), { recursive: true });
  await withFileLock(`${directory}.lock`, async () => {
    if (findGuestImage() === null) await build(directory, report);
  });
  const image = findGuestImage();
  if (image === null) throw new Error(`the guest image was made, but ${directory} does not hold it`);
  return image;
}

/** Named by what it is made from, this file included. A newer kernel in the archive is no reason to make it again. */
function imageDirectory(): string {
  const hash = createHash('sha256');
  for (const file of [import.meta.filename, join(SOURCES, 'init.sh'), join(SOURCES, 'labtool.c')]) {
    hash.update(readFileSync(file));
  }
  return join(cacheDirectory(), 'guest', hash.digest('hex').slice(0, 12));
}

async function build(target: string, report: Report): Promise<void> {
  const work = `${target}.unfinished`;
  rmSync(work, { recursive: true, force: true });
  for (const folder of ['extracted', 'root/bin', 'root/modules', 'image']) {
    mkdirSync(join(work, folder), { recursive: true });
  }
  report('making the guest image: a Debian kernel (27 MB to download) and busybox');
  const extracted = join(work, 'extracted');
  await unpackSources(extracted, report);
  const kernel = theOne(globSync(join(extracted, 'boot/vmlinuz-*')), 'kernel in the package');
  const kernelVersion = basename(kernel).replace('vmlinuz-', '');
  const root = join(work, 'root');
  cpSync(
    theOne(globSync(join(extracted, '{bin,usr/bin}/busybox')), 'busybox in the package'),
    join(root, 'bin/busybox'),
  );
  cpSync(join(SOURCES, 'init.sh'), join(root, 'init'));
  await runOk('chmod', ['0755', join(root, 'init'), join(root, 'bin/busybox')]);
  await copyModules(extracted, join(root, 'modules'));
  await runOk('gcc', ['-static', '-O2', '-Wall', '-s', '-o', join(root, 'bin/labtool'), join(SOURCES, 'labtool.c')]);
  const image = join(work, 'image');
  await unpackKernel(kernel, extracted, join(image, 'kernel'));
  const pack = `find . | ./bin/busybox cpio -o -H newc -R 0:0 2>/dev/null >${join(image, 'initramfs')}`;
  await runOk('sh', ['-c', pack], { cwd: root });
  writeFileSync(join(image, 'kernel-version'), `${kernelVersion}\n`);
  rmSync(target, { recursive: true, force: true });
  renameSync(image, target);
  rmSync(work, { recursive: true, force: true });
}

/** Unpacked, not installed: the machine's own kernel and shell stay as they are. */
async function unpackSources(extracted: string, report: Report): Promise<void> {
  await ensurePackageLists(report);
  const depends = await runOk('apt-cache', ['depends', '--important', KERNEL_PACKAGE]);
  const kernel = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (kernel === undefined) throw new Error(`the package lists have no ${KERNEL_PACKAGE}; is this a Debian?`);
  await unpackPackages([kernel, 'busybox-static', 'lz4'], extracted, report);
}

/** How a kernel packed with LZ4 begins (the legacy frame), and what is in it. */
const LZ4_MAGIC = Buffer.from([0x02, 0x21, 0x4c, 0x18]);
const ELF_MAGIC = '\x7fELF';

/**
 * A kernel under software emulation takes a second to unpack itself. QEMU loads one that is unpacked as well (PVH,
 * Documentation/arch/x86/boot.rst); one that is packed in another way boots as it is.
 */
async function unpackKernel(packed: string, extracted: string, target: string): Promise<void> {
  const image = readFileSync(packed);
  const lz4 = join(extracted, 'usr/bin/lz4');
  for (let at = image.indexOf(LZ4_MAGIC); at !== -1; at = image.indexOf(LZ4_MAGIC, at + 1)) {
    const part = `${target}.lz4`;
    writeFileSync(part, image.subarray(at));
    // What comes after the frame is no part of it, which lz4 tells by its exit code.
    await run(lz4, ['--decompress', '--force', '--quiet', part, target]);
    rmSync(part);
    if (existsSync(target) && readFileSync(target).toString('latin1', 0, 4) === ELF_MAGIC) return;
  }
  cpSync(packed, target);
}

async function copyModules(extracted: string, target: string): Promise<void> {
  const present: string[] = [];
  for (const module of MODULES) {
    // A driver that this kernel has built in has no file.
    const file = globSync(join(extracted, `{lib,usr/lib}/modules/*/kernel/**/${module}.ko*`))[0];
    if (file === undefined) continue;
    const copy = join(target, basename(file));
    cpSync(file, copy);
    if (copy.endsWith('.xz')) await runOk('xz', ['-d', copy]);
    present.push(module);
  }
  writeFileSync(join(target, 'list'), present.map((module) => `${module}\n`).join(''));
}

function theOne(paths: readonly string[], what: string): string {
  const [path] = paths;
  if (path === undefined || paths.length !== 1) throw new Error(`expected one ${what}, found ${paths.length}`);
  return path;
}
