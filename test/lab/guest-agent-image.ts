/**
 * The guest image with Debian's own qemu-guest-agent in it. Another image, for guests that ask for it: a kernel unpacks what
 * it boots from, and under software emulation each MiB of that makes every boot slower.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { unpackPackages } from './apt.ts';
import { ensureGuestImage, findGuestImage, type GuestImage } from './guest-image.ts';
import { withFileLock } from './lock.ts';
import type { Report } from './progress.ts';
import { runOk } from './run.ts';

/** The program, in the package and in the guest. */
const PROGRAM = 'usr/sbin/qemu-ga';

/** The image that is there, without making anything; null when none is. */
export function findGuestAgentImage(): GuestImage | null {
  const plain = findGuestImage();
  if (plain === null) return null;
  const initramfs = imageFile(plain);
  return existsSync(initramfs) ? { ...plain, initramfs } : null;
}

/** Gives that image, downloading the package (350 kB) and packing it behind the guest image if need be. */
export async function ensureGuestAgentImage(report: Report): Promise<GuestImage> {
  const plain = await ensureGuestImage(report);
  const initramfs = imageFile(plain);
  await withFileLock(`${initramfs}.lock`, async () => {
    if (!existsSync(initramfs)) await build(plain, initramfs, report);
  });
  return { ...plain, initramfs };
}

/** Beside the image that it begins with, and named by what makes it another one: this file. */
function imageFile(plain: GuestImage): string {
  const hash = createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .digest('hex')
    .slice(0, 12);
  return join(dirname(plain.initramfs), `initramfs-agent-${hash}`);
}

async function build(plain: GuestImage, target: string, report: Report): Promise<void> {
  const work = `${target}.unfinished`;
  rmSync(work, { recursive: true, force: true });
  const [extracted, root] = [join(work, 'extracted'), join(work, 'root')];
  for (const folder of [extracted, root]) mkdirSync(folder, { recursive: true });
  report('making the guest image with a guest agent: qemu-guest-agent and the libraries that it needs');
  await unpackPackages(['qemu-guest-agent', 'busybox-static'], extracted, report);
  const [busybox] = globSync(join(extracted, '{bin,usr/bin}/busybox'));
  if (busybox === undefined) throw new Error('busybox-static has no busybox');
  // libvirt and QEMU, which run here, need the same libraries.
  for (const library of await librariesOf(join(extracted, PROGRAM))) copyInto(root, library, library);
  copyInto(root, join(extracted, PROGRAM), PROGRAM);
  // A kernel unpacks one archive after the other where several stand in one file (Documentation/driver-api/early-userspace).
  const more = join(work, 'more');
  await runOk('sh', ['-c', `find . | ${busybox} cpio -o -H newc -R 0:0 2>/dev/null >${more}`], { cwd: root });
  writeFileSync(join(work, 'image'), Buffer.concat([readFileSync(plain.initramfs), readFileSync(more)]));
  renameSync(join(work, 'image'), target);
  rmSync(work, { recursive: true, force: true });
}

/** What the program is linked with, the dynamic linker included, as the linker of this machine finds it. */
async function librariesOf(program: string): Promise<string[]> {
  const said = await runOk('ldd', [program]);
  if (said.includes('not found')) throw new Error(`libraries of ${program} are missing here:\n${said}`);
  return [...said.matchAll(/(\/\S+) \(0x/g)].flatMap(([, path]) => path ?? []);
}

function copyInto(root: string, file: string, path: string): void {
  const target = join(root, path);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(file, target);
}
