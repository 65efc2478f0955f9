/** What may get into a build: packages that a hash in the lock file names, and of their scripts one. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

type Locked = {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly inBundle?: boolean;
  readonly hasInstallScript?: boolean;
};
type Lock = { readonly lockfileVersion: number; readonly packages: Readonly<Record<string, Locked>> };
type Manifest = Readonly<Record<'dependencies' | 'devDependencies', Record<string, string> | undefined>> & {
  readonly allowScripts?: Readonly<Record<string, boolean>>;
};
const packagesOf = (file: string): readonly (readonly [string, Locked])[] =>
  Object.entries((JSON.parse(read(file)) as Lock).packages).filter(([path]) => path !== '');
const nameOf = (path: string): string => path.split('node_modules/').at(-1) ?? '';

const strangers = 'test/lab/strangers/npm';

describe.each(['package-lock.json', `${strangers}/package-lock.json`])('%s', (file) => {
  test('pins every package to one version by a SHA-512, from the registry that is configured and nowhere else', () => {
    const packages = packagesOf(file);
    expect(packages.length).toBeGreaterThan(100);
    const loose = packages.filter(
      ([, { integrity, link, resolved, version }]) =>
        link === true || resolved !== undefined || version === undefined || !/^sha512-.{88}$/.test(integrity ?? ''),
    );
    expect(loose.map(([path]) => path)).toEqual([]);
  });

  test('takes nothing by an address', () => {
    const manifest = JSON.parse(read(file.replace('package-lock', 'package'))) as Manifest;
    const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(ranges.filter(([, range]) => !/^[\^~]?\d+\.\d+\.\d+$/.test(range))).toEqual([]);
  });
});

test('of all packages that would run a script when they are installed, one may: the one that brings Node', () => {
  const { allowScripts } = JSON.parse(read('package.json')) as Manifest;
  const withScripts = packagesOf('package-lock.json').filter(([, { hasInstallScript }]) => hasInstallScript === true);
  expect(new Set(withScripts.map(([path]) => nameOf(path)))).toEqual(new Set(Object.keys(allowScripts ?? {})));
  const allowed = Object.entries(allowScripts ?? {}).filter(([, may]) => may);
  expect(allowed.map(([name]) => name)).toEqual(['node']);
});

test('checkers from npm run no script, and those in Python are wheels of one version each', () => {
  const installer = read('test/lab/strangers.ts');
  expect(installer).toContain("'ci', '--ignore-scripts'");
  expect(installer).toContain("'--no-deps', '--only-binary=:all:'");
  const lines = read('test/lab/strangers/python/requirements.txt').split('\n');
  const packages = lines.filter((line) => line !== '' && !line.startsWith('#'));
  expect(packages.length).toBeGreaterThan(10);
  expect(packages.filter((line) => !/^[\w-]+==[\w.]+$/.test(line))).toEqual([]);
});

test('programs in Go are built from modules that go.sum names', () => {
  const modules = globSync('test/lab/**/go.mod', { cwd: root });
  expect(modules.length).toBeGreaterThan(1);
  for (const file of modules) {
    const sums = read(file.replace('go.mod', 'go.sum'));
    const module = read(file);
    const replaced = new Set([...module.matchAll(/(\S+) => /g)].map(([, name]) => name));
    const required = [...module.matchAll(/^(?:require|\t)\s*(\S+\.\S+) (v\S+)/gm)].filter(
      ([, name]) => !replaced.has(name),
    );
    expect(required, file).not.toEqual([]);
    for (const [, name, version] of required) {
      const hasSum = ['', '/go.mod'].some((of) => sums.includes(`${name} ${version}${of} h1:`));
      expect(hasSum, `${file}: ${name} ${version}`).toBe(true);
    }
  }
});
