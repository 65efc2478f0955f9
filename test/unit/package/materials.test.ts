/** The bill of materials and the licences: they name what a bundle contains, all of it and nothing else. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BundleAccount, findBundled } from '../../../scripts/bundled.ts';
import { describeMaterials, type Product } from '../../../scripts/sbom.ts';
import { builtMain } from '../../support/built-program.ts';

const repository = join(import.meta.dirname, '../../..');

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dimmer-materials-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A package in a folder below node_modules, with a licence file unless told otherwise. */
function install(folder: string, manifest: object, licence: string | null = 'as you like'): void {
  const path = join(root, 'node_modules', folder);
  mkdirSync(path, { recursive: true });
  writeFileSync(
    join(path, 'package.json'),
    JSON.stringify({ name: folder, version: '1.0.0', license: 'MIT', ...manifest }),
  );
  if (licence !== null) writeFileSync(join(path, 'LICENSE.md'), licence);
}

/** An account by which each file imports those behind it, and `empty` left nothing in the bundle. */
const accountOf = (
  files: Readonly<Record<string, readonly string[]>>,
  empty: readonly string[] = [],
): BundleAccount => ({
  inputs: Object.fromEntries(
    Object.entries(files).map(([file, imports]) => [file, { imports: imports.map((path) => ({ path })) }]),
  ),
  outputs: {
    'dist/main.js': {
      inputs: Object.fromEntries(
        Object.keys(files).map((file) => [file, { bytesInOutput: empty.includes(file) ? 0 : 10 }]),
      ),
    },
  },
});

const product: Product = {
  ...{ name: 'product', version: '1.2.3', license: 'Apache-2.0', description: 'A product' },
  ...{ bundler: { name: 'esbuild', version: '0.1.0' }, builtAtS: null, integrityOf: () => null },
};

describe('what is in a bundle', () => {
  test('are the packages that a byte of it comes from', () => {
    install('used', {});
    install('left-out', {});
    install('@scope/used', { version: '2.0.0' });
    const files = {
      'src/main.ts': ['node_modules/used/index.js', 'node_modules/left-out/index.js', 'node:fs'],
      'node_modules/used/index.js': ['node_modules/used/lib/other.js', 'node_modules/@scope/used/index.js'],
      'node_modules/used/lib/other.js': [],
      'node_modules/left-out/index.js': [],
      'node_modules/@scope/used/index.js': [],
    };
    const { packages, imports } = findBundled(root, [accountOf(files, ['node_modules/left-out/index.js'])]);
    expect(packages.map(({ purl }) => purl)).toEqual(['pkg:npm/%40scope/used@2.0.0', 'pkg:npm/used@1.0.0']);
    expect(imports).toEqual(['pkg:npm/used@1.0.0']);
    expect(packages[1]?.imports).toEqual(['pkg:npm/%40scope/used@2.0.0']);
  });

  test('is also imported where the file that is imported only leads to others', () => {
    install('used', {});
    const files = {
      'src/main.ts': ['node_modules/used/index.js'],
      'node_modules/used/index.js': ['node_modules/used/lib.js'],
      'node_modules/used/lib.js': [],
    };
    expect(findBundled(root, [accountOf(files, ['node_modules/used/index.js'])]).imports).toEqual([
      'pkg:npm/used@1.0.0',
    ]);
  });

  test('are both of two versions, and one of two folders with the same', () => {
    install('one', {});
    install('other/node_modules/one', { name: 'one' });
    install('third/node_modules/one', { name: 'one', version: '2.0.0' });
    const files = Object.fromEntries(
      ['one', 'other/node_modules/one', 'third/node_modules/one'].map((folder) => [`node_modules/${folder}/x.js`, []]),
    );
    const { packages } = findBundled(root, [accountOf(files)]);
    expect(packages.map(({ purl }) => purl)).toEqual(['pkg:npm/one@1.0.0', 'pkg:npm/one@2.0.0']);
  });

  test('is refused without a licence, and without its words', () => {
    install('nameless', { license: undefined });
    expect(() => findBundled(root, [accountOf({ 'node_modules/nameless/x.js': [] })])).toThrow(/names no licence/);
    install('wordless', {}, null);
    expect(() => findBundled(root, [accountOf({ 'node_modules/wordless/x.js': [] })])).toThrow(
      /without the text of its/,
    );
  });
});

describe('the bill of materials', () => {
  const materialsOf = (names: readonly string[], of = product): string => {
    for (const name of names) install(name, {});
    const account = accountOf(Object.fromEntries(names.map((name) => [`node_modules/${name}/x.js`, []])));
    return JSON.stringify(describeMaterials(findBundled(root, [account]), of));
  };

  test('is the same for the same bundle, has a number of its own for another, and no date but the one it is told', () => {
    expect(materialsOf(['a', 'b'])).toBe(materialsOf(['b', 'a']));
    const serialOf = (text: string) => (JSON.parse(text) as { serialNumber: string }).serialNumber;
    expect(serialOf(materialsOf(['a']))).not.toBe(serialOf(materialsOf(['a', 'b'])));
    expect(serialOf(materialsOf(['a']))).toMatch(
      /^urn:uuid:[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
    );
    expect(materialsOf(['a'])).not.toContain('timestamp');
    expect(materialsOf(['a'], { ...product, builtAtS: 86_400 })).toContain('"timestamp":"1970-01-02T00:00:00.000Z"');
  });
});

describe('of the program as it is built', () => {
  type Component = {
    'bom-ref': string;
    name: string;
    group?: string;
    version?: string;
    hashes?: object[];
    components?: Component[];
  };
  const dist = dirname(dirname(builtMain));
  const document = JSON.parse(readFileSync(join(dist, 'dimmer.cdx.json'), 'utf8')) as {
    components: Component[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };
  const fullName = ({ group, name }: Component) => (group === undefined ? name : `${group}/${name}`);

  test('every component is locked by a hash, and its licence is passed on with its words', () => {
    const licenses = readFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), 'utf8').split(/\n\n-{80}\n\n/);
    expect(licenses.map((text) => text.split(' (')[0])).toEqual(
      document.components.map((component) => `${fullName(component)} ${String(component.version)}`),
    );
    expect(licenses.filter((text) => text.length < 400)).toEqual([]);
    expect(document.components.filter(({ hashes }) => hashes?.length !== 1)).toEqual([]);
  });

  test('every package that package.json names is there, and so is what one of them carries unnamed', () => {
    const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const names = document.components.map(fullName);
    expect(Object.keys(dependencies).filter((name) => !names.includes(name))).toEqual([]);
    const carried = document.components.flatMap(({ components = [] }) => components.map(({ name }) => name));
    expect(carried).toEqual(['llhttp']);
  });

  test('what imports what names nothing that is not there, and leads to everything', () => {
    const refs = new Set(document.components.map((component) => component['bom-ref']));
    const [own, ...others] = document.dependencies;
    expect(others.map(({ ref }) => ref)).toEqual([...refs]);
    const imports = new Map(document.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
    const reached = new Set<string>();
    const follow = (ref: string): void => {
      if (reached.has(ref)) return;
      reached.add(ref);
      for (const next of imports.get(ref) ?? []) follow(next);
    };
    follow(own?.ref ?? '');
    expect([...reached].filter((ref) => ref !== own?.ref).toSorted()).toEqual([...refs].toSorted());
  });
});
