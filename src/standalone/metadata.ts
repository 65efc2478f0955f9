/** The metadata of a manifest, judged as the API server judges it (k8s.io/apimachinery, pkg/api/validation). */
import { isObject } from '../memory/shape.ts';
import type { Finding } from './schema.ts';

export type ManifestMetadata = {
  readonly name: string;
  /** `default` where none is said, as for kubectl; empty for kinds without namespaces. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

/** metav1.ObjectMeta; all but those of {@link ManifestMetadata} are left aside: a manifest may be what `kubectl get` printed. */
const known = new Set([
  'annotations',
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'finalizers',
  'generateName',
  'generation',
  'labels',
  'managedFields',
  'name',
  'namespace',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
]);

const labelPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const subdomainPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const wordPattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const maxAnnotationBytes = 256 * 1024;

const isSubdomain = (text: string): boolean => text.length <= 253 && subdomainPattern.test(text);
const isNamespace = (text: string): boolean => text.length <= 63 && labelPattern.test(text);
const isWord = (text: string): boolean => text.length <= 63 && wordPattern.test(text);

/** `word`, or `domain/word`. */
function isQualifiedName(text: string): boolean {
  const [first = '', second, ...more] = text.split('/');
  if (more.length > 0) return false;
  return second === undefined ? isWord(first) : isSubdomain(first) && isWord(second);
}

/** Reads `metadata`; what is wrong goes into `findings`. null: there is no name to speak of. */
export function readMetadata(value: unknown, namespaced: boolean, findings: Finding[]): ManifestMetadata | null {
  const wrong = (path: readonly string[], message: string): void => {
    findings.push({ path: ['metadata', ...path], message });
  };
  if (!isObject(value)) {
    wrong([], 'is missing');
    return null;
  }
  for (const [name, each] of Object.entries(value)) {
    if (each !== null && !known.has(name)) wrong([name], 'is no known field');
  }
  const { name, namespace = null } = value;
  if (typeof name !== 'string' || name === '') {
    wrong(['name'], 'is missing');
    return null;
  }
  if (!isSubdomain(name)) wrong(['name'], "must be lower case letters, digits, '-' and '.', at most 253");
  if (namespaced && namespace !== null && (typeof namespace !== 'string' || !isNamespace(namespace))) {
    wrong(['namespace'], "must be lower case letters, digits and '-', at most 63");
  }
  const labels = readTexts(value['labels'], 'labels', wrong, (text) => text === '' || isWord(text));
  const annotations = readTexts(value['annotations'], 'annotations', wrong, () => true);
  const bytes = Object.entries(annotations).reduce((sum, [key, text]) => sum + Buffer.byteLength(key + text), 0);
  if (bytes > maxAnnotationBytes) wrong(['annotations'], `may have at most ${maxAnnotationBytes} bytes together`);
  const inNamespace = typeof namespace === 'string' && namespace !== '' ? namespace : 'default';
  return { name, namespace: namespaced ? inNamespace : '', labels, annotations };
}

function readTexts(
  value: unknown,
  field: string,
  wrong: (path: readonly string[], message: string) => void,
  fits: (text: string) => boolean,
): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) {
    wrong([field], 'must be an object');
    return {};
  }
  const read: Record<string, string> = {};
  for (const [key, each] of Object.entries(value)) {
    // As if it weren't there (a text that is no name is none then, either).
    if (each === null || each === undefined) continue;
    const text = each;
    if (typeof text !== 'string') wrong([field, key], 'must be a text: put it in quotes');
    // Keys of annotations may have capitals in their domain (ValidateAnnotations).
    else if (!isQualifiedName(field === 'annotations' ? key.toLowerCase() : key))
      wrong([field, key], 'has a name that is none');
    else if (!fits(text)) wrong([field, key], "must be letters, digits, '-', '_' and '.', at most 63");
    else read[key] = text;
  }
  return read;
}
