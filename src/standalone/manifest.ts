/** What a file of manifests says: resources, and what is wrong with the rest. */
import { apiVersion } from '../api/v1alpha1/meta.ts';
import { isObject } from '../memory/shape.ts';
import type { SpecSchemas } from './crds.ts';
import { type Kind, kindFacts, kinds } from './kinds.ts';
import type { Place } from './manifest-place.ts';
import { type ManifestMetadata, readMetadata } from './metadata.ts';
import { objectsIn } from './objects-in.ts';
import { findBrokenRules } from './rules.ts';
import { applySchema, type Finding, formatPath } from './schema.ts';
import { type Path, readYaml, type YamlDocument } from './yaml.ts';

/** `KIND NAMESPACE/NAME`, or `KIND NAME`: what may be there once only. */
export type ManifestKey = string;

/** Something wrong with a manifest; `key` where it is known whose it is. */
export type ManifestProblem = Place & { readonly message: string; readonly key?: ManifestKey };

type Spec = Readonly<Record<string, unknown>>;

export type Manifest = {
  readonly kind: Kind;
  readonly key: ManifestKey;
  readonly metadata: ManifestMetadata;
  /** With defaults, as an API server would keep it. */
  readonly spec: Spec;
  /** As it was written. */
  readonly given: Spec;
  /** Where the resource begins. */
  readonly place: Place;
  /** Where a part of it is. */
  readonly placeOf: (path: Path) => Place;
};

export type ReadManifests = {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly ManifestProblem[];
  /** False: the text can't be read, so nothing is known of what it holds. */
  readonly isWhole: boolean;
};

export const keyOfManifest = (kind: Kind, { name, namespace }: { name: string; namespace: string }): ManifestKey =>
  kindFacts[kind].namespaced ? `${kind} ${namespace}/${name}` : `${kind} ${name}`;

/** Reads a file's text; `file` is its name for people. */
export function readManifests(file: string, text: string, schemas: SpecSchemas): ReadManifests {
  const read = readYaml(text);
  if (!read.ok) {
    return { manifests: [], problems: [{ file, ...read.error.position, message: read.error.message }], isWhole: false };
  }
  const found = read.value.flatMap((document) =>
    objectsIn(document).map((path) => readOne(file, document, path, schemas)),
  );
  return {
    manifests: found.flatMap(({ manifest }) => (manifest === null ? [] : [manifest])),
    problems: found.flatMap(({ problems }) => problems),
    isWhole: true,
  };
}

type ReadOne = { readonly manifest: Manifest | null; readonly problems: readonly ManifestProblem[] };

function readOne(file: string, document: YamlDocument, base: Path, schemas: SpecSchemas): ReadOne {
  const value = base.reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], document.value);
  const placeOf = (path: Path): Place => ({ file, ...document.positionOf([...base, ...path]) });
  const stop = (message: string, path: Path = []): ReadOne => ({
    manifest: null,
    problems: [{ ...placeOf(path), message }],
  });
  if (!isObject(value)) return stop('is no object of Kubernetes: it has no apiVersion, kind and metadata');
  const kind = kinds.find((known) => known === value['kind']);
  if (kind === undefined) return stop(`kind must be ${kinds.join(' or ')}: nothing else is known here`, ['kind']);
  if (value['apiVersion'] !== apiVersion) return stop(`apiVersion must be ${apiVersion}`, ['apiVersion']);

  const findings: Finding[] = [];
  for (const [name, each] of Object.entries(value)) {
    if (each !== null && !['apiVersion', 'kind', 'metadata', 'spec', 'status'].includes(name)) {
      findings.push({ path: [name], message: 'is no known field' });
    }
  }
  const metadata = readMetadata(value['metadata'], kindFacts[kind].namespaced, findings);
  const given = value['spec'];
  const schema = schemas[kind];
  if (given === undefined || given === null) findings.push({ path: ['spec'], message: 'is missing' });
  const spec = applySchema(schema, given ?? {}, ['spec'], findings);
  if (findings.length === 0) findings.push(...findBrokenRules(schema, spec, ['spec']));

  const key = metadata === null ? undefined : keyOfManifest(kind, metadata);
  const problems = findings.map(({ path, message }): ManifestProblem => ({
    ...placeOf(path),
    message: `${formatPath(path)}: ${message}`,
    ...(key === undefined ? {} : { key }),
  }));
  if (metadata === null || key === undefined || findings.length > 0) return { manifest: null, problems };
  const manifest: Manifest = {
    kind,
    key,
    metadata,
    spec: spec as Spec,
    given: given as Spec,
    place: placeOf([]),
    placeOf,
  };
  return { manifest, problems };
}
