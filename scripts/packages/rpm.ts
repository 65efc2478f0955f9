/** The `.rpm`, made by rpm's own tool. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Build } from './build.ts';
import type { PackagedFile } from './files.ts';
import { stageFiles } from './stage.ts';
import { runTool } from './tools.ts';

const architectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** rpm's names for how its payload is packed. */
const payloads = { small: 'w6.xzdio', none: 'w.ufdio' } as const;

/** Builds it; gives its path. */
export async function buildRpm(build: Build, files: readonly PackagedFile[]): Promise<string> {
  const { date, version, revision, workDirectory, outputDirectory, architecture } = build;
  const staged = join(workDirectory, 'rpm');
  stageFiles(staged, files, date);
  const top = join(workDirectory, 'rpmbuild');
  mkdirSync(top);
  const spec = join(top, 'dimmer.spec');
  const values: Readonly<Record<string, string>> = {
    VERSION: version,
    REVISION: revision,
    PAYLOAD: payloads[build.compression],
    FILES: files.map(fileLine).join('\n'),
    DATE: new Date(date * 1000).toUTCString().replace(/^(\w+), (\d+) (\w+) (\d+) .*/, '$1 $3 $2 $4'),
  };
  const template = readFileSync(join(import.meta.dirname, 'rpm/dimmer.spec'), 'utf8');
  writeFileSync(
    spec,
    template.replaceAll(/@([A-Z]+)@/g, (_, name: string) => values[name] ?? ''),
  );
  const arch = architectures[architecture] ?? architecture;
  const name = `dimmer-${version}-${revision}.${arch}.rpm`;
  // It is given what it would install; the build root is ours, and is left as it is.
  const defines = { _topdir: top, _rpmdir: top, _rpmfilename: name, _dbpath: join(top, 'db') };
  await runTool(
    'rpmbuild',
    [
      ...['-bb', '--noclean', '--noprep', '--target', `${arch}-linux`, '--buildroot', staged],
      ...Object.entries(defines).flatMap(([key, value]) => ['--define', `${key} ${value}`]),
      spec,
    ],
    date,
  );
  const rpm = join(outputDirectory, name);
  copyFileSync(join(top, name), rpm);
  return rpm;
}

/** A line of `%files`: what it is, whose, and what may be done with it. */
function fileLine({ path, mode, content, isConfiguration }: PackagedFile): string {
  const group = path === 'etc/dimmer' ? 'dimmer' : 'root';
  const kind = [
    content === 'directory' ? '%dir ' : '',
    isConfiguration === true ? '%config(noreplace) ' : '',
    path.startsWith('usr/share/licenses/') ? '%license ' : '',
    path.startsWith('usr/share/doc/') ? '%doc ' : '',
  ].join('');
  return `%attr(0${mode.toString(8)}, root, ${group}) ${kind}"/${path}"`;
}
