/** The `.deb`, made by Debian's own tool. */
import { createHash } from 'node:crypto';
import { chmodSync, lutimesSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { PackagedFile } from './files.ts';
import { runTool } from './tools.ts';
import { stageFiles } from './stage.ts';
import type { Build } from './build.ts';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const scripts = ['postinst', 'prerm', 'postrm'];

/** What dpkg-deb is told; threads would make the bytes go by the number of processors. */
const compressions = { small: ['-Zxz', '-z6', '--threads-max=1'], none: ['-Znone'] } as const;

/** Builds it; gives its path. */
export async function buildDeb(build: Build, files: readonly PackagedFile[]): Promise<string> {
  const { date, version, revision, workDirectory, outputDirectory, architecture } = build;
  const staged = join(workDirectory, 'deb');
  const changes = gzipSync(changelog(build), { level: 9 });
  const all = [
    ...files,
    { path: 'usr/share/doc/dimmer/changelog.Debian.gz', mode: 0o644, content: { text: changes } } as const,
  ];
  stageFiles(staged, all, date);
  const control = join(staged, 'DEBIAN');
  mkdirSync(control);
  const regular = all.filter(({ content }) => content !== 'directory');
  const sums = regular.map(({ path }) => `${md5(join(staged, path))}  ${path}\n`).toSorted(byPath);
  const sizeKiB = regular.reduce((sum, { path }) => sum + Math.ceil(statSync(join(staged, path)).size / 1024), 0);
  const arch = architectures[architecture] ?? architecture;
  const texts: Readonly<Record<string, string>> = {
    control: controlText({ version: `${version}-${revision}`, arch, sizeKiB }),
    conffiles: all.flatMap(({ path, isConfiguration }) => (isConfiguration === true ? [`/${path}\n`] : [])).join(''),
    md5sums: sums.join(''),
    ...Object.fromEntries(
      scripts.map((name) => [name, readFileSync(join(import.meta.dirname, 'debian', name), 'utf8')]),
    ),
  };
  for (const [name, text] of Object.entries(texts)) {
    const path = join(control, name);
    writeFileSync(path, text);
    chmodSync(path, scripts.includes(name) ? 0o755 : 0o644);
    lutimesSync(path, date, date);
  }
  chmodSync(control, 0o755);
  for (const directory of [control, staged]) lutimesSync(directory, date, date);
  const deb = join(outputDirectory, `dimmer_${version}-${revision}_${arch}.deb`);
  const compression = compressions[build.compression];
  await runTool('dpkg-deb', ['--root-owner-group', ...compression, '--build', staged, deb], date);
  return deb;
}

const md5 = (file: string): string => createHash('md5').update(readFileSync(file)).digest('hex');
const byPath = (one: string, other: string): number => (one.slice(34) < other.slice(34) ? -1 : 1);

/** Node's binary says which versions of libraries it needs; docs/adr/0051-packages-for-hosts.md. */
const controlText = (of: { version: string; arch: string; sizeKiB: number }): string => `Package: dimmer
Version: ${of.version}
Architecture: ${of.arch}
Maintainer: The Dimmer authors <dimmer@dimmer.dev>
Installed-Size: ${of.sizeKiB}
Depends: libc6 (>= 2.28), libgcc-s1 (>= 3.4), libstdc++6 (>= 7), systemd, init-system-helpers (>= 1.54~)
Recommends: libvirt-daemon-system
Suggests: bash-completion
Section: admin
Priority: optional
Description: memory of running virtual machines, turned up and down
 Dimmer changes the memory of running virtual machines on plain libvirt and
 QEMU hosts to what is asked for declaratively: by a file, or by a resource in
 a Kubernetes cluster.
 .
 This package has the host agent and the program for one host without a
 cluster, each with a systemd unit that is started once it is configured, the
 Node.js that runs them, and the plugin of kubectl.
`;

/** RFC 5322, in UTC, as Debian's changelogs have it. */
const changelog = ({
  version,
  revision,
  date,
}: Build): string => `dimmer (${version}-${revision}) stable; urgency=medium

  * What has changed is in changelog.gz.

 -- The Dimmer authors <dimmer@dimmer.dev>  ${new Date(date * 1000).toUTCString().replace('GMT', '+0000')}
`;
