/** What a `.deb` and an `.rpm` hold, which is the same but for the places that the two kinds of systems have for some things. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { completionScripts } from '../../src/cmd/completion/scripts.ts';
import { manualPage } from './manual.ts';

export type PackagedFile = {
  /** Where it is installed, without the `/` before it. */
  readonly path: string;
  readonly mode: number;
  readonly content: { readonly file: string } | { readonly text: string | Buffer } | 'directory';
  /** What an admin changes there outlasts an upgrade. */
  readonly isConfiguration?: boolean;
};

export type PackageKind = 'deb' | 'rpm';

/** What the files are made of. */
export type Sources = {
  /** The repository, built. */
  readonly root: string;
  /** Node's binary, and the licences of what it contains. */
  readonly node: { readonly binary: string; readonly license: string };
};

const home = 'usr/lib/dimmer';
const documents = 'usr/share/doc/dimmer';
const units = ['agent', 'standalone'].map((name) => ({
  source: `deploy/${name}/dimmer-${name}.service`,
  path: `usr/lib/systemd/system/dimmer-${name}.service`,
}));

/** The programs find Node beside them: whatever `node` is on the PATH is somebody else's. */
const launcher = (entry: string): string => `#!/bin/sh
exec /${home}/bin/node /${home}/dist/cmd/${entry}.js "$@"
`;

/** All files under a directory of the repository, below `target`. */
function tree(root: string, directory: string, target: string): readonly PackagedFile[] {
  const entries = readdirSync(join(root, directory), { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(root, directory).length + 1))
    .map((name) => ({ path: join(target, name), mode: 0o644, content: { file: join(root, directory, name) } }));
}

/** A unit that says where its documentation is here. */
function unitText(text: string): string {
  return text.replace('/usr/lib/node_modules/dimmer/docs/', `/${documents}/`);
}

/** What Node reads of a program that is installed, and people who look for its version. */
function manifestText(repository: string): string {
  const { name, version, license, type } = JSON.parse(repository) as Readonly<Record<string, string>>;
  return `${JSON.stringify({ name, version, license, private: true, type }, null, 2)}\n`;
}

const compressed = (text: string | Buffer): Buffer => gzipSync(text, { level: 9 });

/** Where the two kinds of systems look for a shell's completions. */
const zshPlace: Readonly<Record<PackageKind, string>> = {
  deb: 'usr/share/zsh/vendor-completions/_dimmer',
  rpm: 'usr/share/zsh/site-functions/_dimmer',
};

/** Every file and directory of a package of that kind. */
export async function listFiles(kind: PackageKind, sources: Sources): Promise<readonly PackagedFile[]> {
  const { root, node } = sources;
  const own = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');
  const text = (path: string, content: string | Buffer, mode = 0o644): PackagedFile => ({
    ...{ path, mode, content: { text: content } },
  });
  const file = (path: string, name: string, mode = 0o644): PackagedFile => ({
    ...{ path, mode, content: { file: join(root, name) } },
  });
  const configuration = (path: string, content: string): PackagedFile => ({
    ...text(path, content),
    isConfiguration: true,
  });
  const manuals = await Promise.all(
    (['standalone', 'cluster'] as const).map(async (place) => {
      const program = place === 'standalone' ? 'dimmer' : 'kubectl-dimmer';
      return text(`usr/share/man/man1/${program}.1.gz`, compressed(await manualPage(program, place)));
    }),
  );
  return [
    { path: `${home}/bin/node`, mode: 0o755, content: { file: node.binary } },
    ...tree(root, 'dist', `${home}/dist`),
    ...tree(root, 'crds', `${home}/crds`),
    ...tree(root, 'deploy', `${home}/deploy`),
    text(`${home}/package.json`, manifestText(readFileSync(join(root, 'package.json'), 'utf8'))),
    text('usr/bin/dimmer', launcher('main'), 0o755),
    text('usr/bin/kubectl-dimmer', launcher('kubectl-dimmer'), 0o755),
    text('usr/bin/kubectl_complete-dimmer', completionScripts.kubectl, 0o755),
    text('usr/share/bash-completion/completions/dimmer', completionScripts.bash),
    text(zshPlace[kind], completionScripts.zsh),
    text('usr/share/fish/vendor_completions.d/dimmer.fish', completionScripts.fish),
    ...units.map(({ source, path }) => text(path, unitText(readFileSync(join(root, source), 'utf8')))),
    text('usr/lib/sysusers.d/dimmer.conf', own('sysusers.conf')),
    { path: 'etc/dimmer', mode: 0o750, content: 'directory' },
    { path: 'etc/dimmer/vms', mode: 0o755, content: 'directory' },
    configuration('etc/dimmer/agent.env', own('agent.env')),
    configuration('etc/dimmer/standalone.env', own('standalone.env')),
    ...tree(root, 'docs', documents),
    ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md'].map((name) => file(`${documents}/${name}`, name)),
    text(`${documents}/LICENSE.node.gz`, compressed(readFileSync(node.license))),
    ...manuals,
    ...ofKind[kind](root),
  ];
}

/** What one kind of system wants to know in a form of its own. */
const ofKind: Readonly<Record<PackageKind, (root: string) => readonly PackagedFile[]>> = {
  deb: (root) => {
    const own = (name: string) => readFileSync(join(import.meta.dirname, 'debian', name), 'utf8');
    return [
      { path: `${documents}/copyright`, mode: 0o644, content: { text: own('copyright') } },
      { path: 'usr/share/lintian/overrides/dimmer', mode: 0o644, content: { text: own('lintian-overrides') } },
      {
        ...{ path: `${documents}/changelog.gz`, mode: 0o644 },
        content: { text: compressed(readFileSync(join(root, 'CHANGELOG.md'))) },
      },
    ];
  },
  rpm: (root) => [
    { path: `${documents}/CHANGELOG.md`, mode: 0o644, content: { file: join(root, 'CHANGELOG.md') } },
    { path: 'usr/share/licenses/dimmer/LICENSE', mode: 0o644, content: { file: join(root, 'LICENSE') } },
  ],
};
