/**
 * The image, made by a container engine of the Dockerfile's last stage. No registry of images is asked: its base has what its own is
 * said to have (Node at /nodejs/bin/node, the libraries that it names, certificates, users) and nothing else, and what the stage
 * before leaves, `npm pack`'s package, is taken from the checkout, which must have been built.
 */
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Containers, containersIn } from '../lab/containers.ts';
import { runOk } from '../lab/run.ts';
import { type ImageFile, readImageFile } from './image-file.ts';

const root = join(import.meta.dirname, '../..');

export type Image = {
  /** Without a registry, as deploy/ names it. */
  readonly name: string;
  /** What the Dockerfile says of it. */
  readonly file: ImageFile;
  readonly containers: Containers;
};

/** Makes it in a new directory, which must not be there yet. */
export async function makeImage(directory: string): Promise<Image> {
  const containers = containersIn(directory);
  const file = readImageFile(readFileSync(join(root, 'Dockerfile'), 'utf8'));
  const base = join(directory, 'base');
  await makeBase(base);
  const archive = join(directory, 'base.tar');
  await runOk('tar', ['--create', '--file', archive, '--directory', base, '.']);
  await containers.podmanOk(['import', archive, 'localhost/base']);

  const stage = join(directory, 'stage');
  for (const path of file.copies.flatMap(({ from }) => from)) {
    // That `npm pack` leaves the same, test/integration/package sees.
    cpSync(join(root, path.replace(/^\/package\//, '')), join(stage, path), { recursive: true });
  }
  const name = `dimmer:${file.labels['org.opencontainers.image.version'] ?? ''}`;
  await containers.podmanOk([
    ...['build', '--pull=never', '--isolation=chroot', '--layers=false', `--build-context=build=${stage}`],
    ...['--build-arg=RUNTIME_IMAGE=localhost/base', '--build-arg=REVISION=of-the-lab', `--tag=${name}`],
    ...[`--file=${join(root, 'Dockerfile')}`, stage],
  ]);
  return { name, file, containers };
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
