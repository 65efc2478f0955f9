/** What the chart and the bundle are made from: the manifests of crds/ and deploy/, as kubectl applies them. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Document, parse, parseAllDocuments } from 'yaml';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const readRoot = (path: string): string => readFileSync(join(root, path), 'utf8');

/** What of any Kubernetes object is spoken of here. */
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
};

/** What package.json says of the release. */
export const release = JSON.parse(readRoot('package.json')) as {
  readonly version: string;
  readonly description: string;
  readonly license: string;
};

/** The oldest Kubernetes that has what deploy/ uses: ValidatingAdmissionPolicy is stable since then. */
export const oldestKubernetes = '1.30.0';

const resourcesOf = (folder: string): readonly string[] =>
  (parse(readRoot(`${folder}/Kustomization`)) as { readonly resources: readonly string[] }).resources;

/** The files of crds/, by their names there. */
export const crdFiles: readonly string[] = resourcesOf('crds');
/** The files of deploy/ that `kubectl apply -k deploy/` takes, in its order. */
const deployFiles: readonly string[] = resourcesOf('deploy').filter((name) => name !== '../crds');

/**
 * The documents of a file, with their comments and to be edited. Read as Kubernetes does, by YAML 1.1: there 0440 is octal.
 */
export const documentsIn = (path: string): readonly Document.Parsed[] => {
  const documents = parseAllDocuments(readRoot(path), { version: '1.1' });
  if (!Array.isArray(documents)) throw new Error(`${path} holds no document`);
  return documents;
};

/** The objects of all files of deploy/. */
export const deployedObjects = (): readonly Manifest[] =>
  deployFiles.flatMap((name) => documentsIn(`deploy/${name}`).map((document) => document.toJS() as Manifest));

/** The object of deploy/ of a kind, and of a name where there are several; what is known of its kind the caller says. */
export function deployed(kind: string, name?: string): Manifest {
  const [found, ...others] = deployedObjects().filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found === undefined || others.length > 0) throw new Error(`deploy/ has not one ${kind} ${name ?? ''}`);
  return found;
}
