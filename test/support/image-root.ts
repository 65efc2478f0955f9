/**
 * The image's root file system, made without a container engine: what the Dockerfile's last stage copies, over a base that has what
 * its own is said to have (Node at /nodejs/bin/node, the libraries that it names, certificates, users) and nothing else.
 */
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runOk } from '../lab/run.ts';
import { type ImageFile, readImageFile } from './image-file.ts';

const root = join(import.meta.dirname, '../..');

/** Where a runtime mounts what a pod is given; it makes these places in the image. */
export type MountPoints = readonly string[];

/** Makes it in a new directory, which must not be there yet. The program must have been built. */
export async function makeImageRoot(directory: string, mountPoints: MountPoints): Promise<ImageFile> {
  const image = readImageFile(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  await makeBase(directory);
  for (const { from, to } of image.copies) {
    for (const source of from) {
      // /package is what `npm pack` makes of the checkout; that this holds the same, test/integration/package sees.
      const file = join(root, source.replace(/^\/package\//, ''));
      cpSync(file, join(directory, to.endsWith('/') ? join(to, basename(file)) : to), { recursive: true });
    }
  }
  for (const place of mountPoints) mkdirSync(join(directory, place), { recursive: true });
  return image;
}

async function makeBase(directory: string): Promise<void> {
  const put = (source: string, target: string): void => {
    mkdirSync(dirname(join(directory, target)), { recursive: true });
    copyFileSync(source, join(directory, target));
  };
  for (const place of ['dev', 'etc', 'proc', 'run', 'sys', 'tmp', 'var']) {
    mkdirSync(join(directory, place), { recursive: true });
  }
  symlinkSync('../run', join(directory, 'var/run'));
  put(process.execPath, '/nodejs/bin/node');
  chmodSync(join(directory, 'nodejs/bin/node'), 0o755);
  const linked = await runOk('ldd', [process.execPath]);
  for (const [, library = ''] of linked.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)) put(library, library);
  put('/etc/ssl/certs/ca-certificates.crt', '/etc/ssl/certs/ca-certificates.crt');
  writeFileSync(
    join(directory, 'etc/passwd'),
    'root:x:0:0::/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n',
  );
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n');
}
