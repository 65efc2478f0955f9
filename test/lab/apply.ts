/**
 * What `kubectl apply -f -` does with an object of ours or a namespace, in this process: a kubectl takes 0.2 s of a
 * processor, and some tests apply hundreds.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ApiAnswer, ApiClient } from './api-client.ts';

type Json = Readonly<Record<string, unknown>>;
export type Manifest = Json & {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: Json };
};

export type Applied = {
  /** As kubectl exits. */
  readonly code: 0 | 1;
  /** `configured`, `created` or `unchanged`, or what the API server says against it; before that what it warns of. */
  readonly output: string;
};

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** Where the collection lies that an object belongs to; undefined: of a kind that isn't applied here. */
export function collectionOf({ kind, metadata: { namespace } }: Manifest): string | undefined {
  switch (kind) {
    case 'Namespace':
      return '/api/v1/namespaces';
    case 'HypervisorHost':
      return '/apis/dimmer.dev/v1alpha1/hypervisorhosts';
    case 'VirtualMachineMemory':
      return `/apis/dimmer.dev/v1alpha1/namespaces/${namespace ?? 'default'}/virtualmachinememories`;
    default:
      return undefined;
  }
}

/** Applies it as the client does, with what was applied last in an annotation; kubectl itself can go on from there. */
export async function applyObject(api: ApiClient, object: Manifest, isDryRun = false): Promise<Applied> {
  // What is undefined isn't there.
  const manifest = JSON.parse(JSON.stringify(object)) as Manifest;
  const collection = collectionOf(manifest);
  if (collection === undefined) throw new Error(`a ${manifest.kind} is applied by kubectl only`);
  const options = `fieldManager=kubectl-client-side-apply&fieldValidation=Strict${isDryRun ? '&dryRun=All' : ''}`;
  const { metadata } = manifest;
  const remembered = { ...manifest, metadata: { ...metadata, annotations: { ...metadata.annotations } } };
  const annotations = { ...metadata.annotations, [lastApplied]: `${inOrder(remembered)}\n` };
  const wanted: Manifest = { ...manifest, metadata: { ...metadata, annotations } };
  const path = `${collection}/${metadata.name}`;
  const found = await api.ask(path);
  if (found.status === 404) {
    return toldOf(manifest, 'created', await api.ask(`${collection}?${options}`, { method: 'POST', body: wanted }));
  }
  if (found.status !== 200) return toldOf(manifest, '', found);
  const current = JSON.parse(found.text) as Manifest;
  const before = current.metadata.annotations?.[lastApplied];
  const original = typeof before === 'string' ? (JSON.parse(before) as Json) : {};
  const body = patchOf(original, wanted, current);
  if (Object.keys(body).length === 0) return toldOf(manifest, 'unchanged', found);
  return toldOf(manifest, 'configured', await api.ask(`${path}?${options}`, { method: 'PATCH', body }));
}

function toldOf({ kind, metadata }: Manifest, done: string, { status, text, warnings }: ApiAnswer): Applied {
  const warned = warnings.map((warning) => `Warning: ${warning}\n`).join('');
  if (status < 300) return { code: 0, output: `${warned}${kind}/${metadata.name} ${done}\n` };
  return { code: 1, output: `${warned}${(JSON.parse(text) as { message: string }).message}\n` };
}

/** The merge patch (RFC 7396) that makes `current` what is wanted, and takes out what was wanted once and isn't now. */
function patchOf(original: Json, wanted: Json, current: Json): Json {
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(wanted)) {
    const [was, is] = [original[key], current[key]];
    if (isObject(value) && isObject(is)) {
      const inner = patchOf(isObject(was) ? was : {}, value, is);
      if (Object.keys(inner).length > 0) patch[key] = inner;
    } else if (!isDeepStrictEqual(value, is)) patch[key] = value;
  }
  for (const key of Object.keys(original)) if (!(key in wanted) && key in current) patch[key] = null;
  return patch;
}

/** Fields by their names, as Go writes a map: kubectl compares what was applied last as a text. */
const inOrder = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1))) : each,
  );

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
