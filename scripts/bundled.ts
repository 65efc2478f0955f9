/** Which packages a bundle really contains: those that a byte of it comes from, by esbuild's own account of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { licenceTexts } from './licence-texts.ts';

/** What of esbuild's account is read here. */
export type BundleAccount = {
  readonly inputs: Readonly<Record<string, { readonly imports: readonly { readonly path: string }[] }>>;
  readonly outputs: Readonly<
    Record<string, { readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>> }>
  >;
};

export type BundledPackage = {
  readonly name: string;
  readonly version: string;
  /** As an SPDX expression. */
  readonly license: string;
  readonly description: string | null;
  /** Whole texts: of its licence, and of its notices. Never empty. */
  readonly licenceTexts: readonly string[];
  /** Package URL (https://github.com/package-url/purl-spec): its name everywhere. */
  readonly purl: string;
  /** purls of the bundled packages that its bundled files import, sorted. */
  readonly imports: readonly string[];
};

export type Bundled = {
  /** Sorted by purl. */
  readonly packages: readonly BundledPackage[];
  /** purls of what our own files import. */
  readonly imports: readonly string[];
};

type Manifest = {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly description?: string;
};

/** The package URL of a package of npm. */
export const purlOf = (name: string, version: string): string => `pkg:npm/${name.replace('@', '%40')}@${version}`;

/** The folder of the package that a file belongs to; undefined: it is our own. */
function folderOf(file: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

/**
 * The packages in a bundle. A package that is there in two folders in one version counts once.
 * @param root what the paths in `accounts` are relative to
 * @throws Error where a package names no licence, or brings no text of it and `licence-texts.ts` has none
 */
export function findBundled(root: string, accounts: readonly BundleAccount[]): Bundled {
  const inputs = Object.assign({}, ...accounts.map((account) => account.inputs)) as BundleAccount['inputs'];
  const contained = new Set(
    accounts
      .flatMap((account) => Object.values(account.outputs))
      .flatMap((output) => Object.entries(output.inputs))
      .flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  const folders = new Set([...contained].flatMap((file) => folderOf(file) ?? []));
  const purls = new Map([...folders].map((folder) => [folder, purlOfFolder(join(root, folder))]));
  /** null: our own, or of a package of which nothing is there. */
  const purlOfFile = (file: string): string | null => purls.get(folderOf(file) ?? '') ?? null;
  /** By purl, null for ourselves. */
  const importsOf = new Map<string | null, Set<string>>();
  for (const file of contained) {
    const from = purlOfFile(file);
    const imports = importsOf.get(from) ?? new Set();
    importsOf.set(from, imports);
    for (const { path } of inputs[file]?.imports ?? []) {
      const to = purlOfFile(path);
      if (to !== null && to !== from) imports.add(to);
    }
  }
  const byPurl = new Map([...purls].map(([folder, purl]) => [purl, folder]));
  const packages = [...byPurl].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return {
    packages: packages.map(([purl, folder]) => ({
      ...describePackage(join(root, folder)),
      ...{ purl, imports: [...(importsOf.get(purl) ?? [])].toSorted() },
    })),
    imports: [...(importsOf.get(null) ?? [])].toSorted(),
  };
}

function purlOfFolder(folder: string): string {
  const { name, version } = readManifest(folder);
  return purlOf(name, version);
}

const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

function describePackage(folder: string): Omit<BundledPackage, 'purl' | 'imports'> {
  const { name, version, license, description } = readManifest(folder);
  if (license === undefined) throw new Error(`${name} ${version} is bundled, and its package.json names no licence`);
  const texts = readdirSync(folder)
    .filter((entry) => /^((un)?licen[cs]e|notice|copying)(\.|$)/i.test(entry))
    .toSorted()
    .map((entry) => readFileSync(join(folder, entry), 'utf8').trim());
  const all = [...texts, ...(licenceTexts[name] ?? [])];
  if (all.length === 0) {
    throw new Error(
      `${name} ${version} is bundled without the text of its licence: add it to scripts/licence-texts.ts`,
    );
  }
  return {
    name,
    version,
    license: license.replace(/^\((.*)\)$/, '$1'),
    description: description ?? null,
    licenceTexts: all,
  };
}
