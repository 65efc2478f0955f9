/**
 * The bill of materials of the bundle, in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). The same sources give the
 * same bytes: it has no date but SOURCE_DATE_EPOCH's, and its serial number is made from what it says (docs/adr/0055-what-is-trusted.md).
 */
import { createHash } from 'node:crypto';
import type { Bundled, BundledPackage } from './bundled.ts';
import { purlOf } from './bundled.ts';

/** What is described: our own package, and what it was built with. */
export type Product = {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly description: string;
  readonly bundler: { readonly name: string; readonly version: string };
  /** Seconds since 1970, or null: no time is named. */
  readonly builtAtS: number | null;
  /** What package-lock.json holds of a package: its hash as npm writes it (`sha512-…`), null where it has none. */
  readonly integrityOf: (name: string, version: string) => string | null;
};

/** Code that a package carries in itself, which no manifest names: by name of the package. */
const carried: Readonly<Record<string, readonly { readonly name: string; readonly license: string }[]>> = {
  // lib/llhttp/*.wasm.
  undici: [{ name: 'llhttp', license: 'MIT' }],
};

/** The document, as JSON would have it. Pure. */
export function describeMaterials(bundled: Bundled, product: Product): object {
  const own = purlOf(product.name, product.version);
  const document = {
    metadata: {
      ...(product.builtAtS === null ? {} : { timestamp: new Date(product.builtAtS * 1000).toISOString() }),
      lifecycles: [{ phase: 'build' }],
      tools: { components: [{ type: 'application', ...product.bundler }] },
      component: {
        ...{ type: 'application', 'bom-ref': own, name: product.name, version: product.version },
        ...{ description: product.description, licenses: licensesOf(product.license), purl: own },
      },
    },
    components: bundled.packages.map((each) => describeComponent(each, product)),
    dependencies: [
      { ref: own, dependsOn: bundled.imports },
      ...bundled.packages.map(({ purl, imports }) => ({ ref: purl, dependsOn: imports })),
    ],
    // What is in the bundle is all here: nothing else is loaded but Node's own modules (scripts/build.ts refuses it).
    compositions: [{ aggregate: 'complete', assemblies: [own], dependencies: [own] }],
  };
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    ...{ bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber: serialOf(JSON.stringify(document)), version: 1 },
    ...document,
  };
}

function describeComponent(each: BundledPackage, product: Product): object {
  const [, group, name = each.name] = /^(@[^/]+)\/(.+)$/.exec(each.name) ?? [];
  const [algorithm, digest] = product.integrityOf(each.name, each.version)?.split('-') ?? [];
  const inside = carried[each.name] ?? [];
  return {
    ...{ type: 'library', 'bom-ref': each.purl },
    ...(group === undefined ? {} : { group }),
    ...{ name, version: each.version },
    ...(each.description === null ? {} : { description: each.description }),
    ...(algorithm === 'sha512' && digest !== undefined
      ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }] }
      : {}),
    ...{ licenses: licensesOf(each.license), purl: each.purl },
    ...(inside.length === 0
      ? {}
      : {
          components: inside.map(({ name, license }) => ({
            ...{ type: 'library', 'bom-ref': `${each.purl}#${name}`, name, licenses: licensesOf(license) },
          })),
        }),
  };
}

/** One licence by its SPDX id, several as an expression. */
const licensesOf = (license: string): readonly object[] =>
  license.includes(' ') ? [{ expression: license }] : [{ license: { id: license } }];

/** A UUID of version 8 (RFC 9562, section 5.8) that only the same text has. */
function serialOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return `urn:uuid:${parts.join('-')}`;
}
