/** What an installer makes, as objects that can be compared whoever made them. */
import { parseAllDocuments } from 'yaml';

export type KubernetesObject = {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
};

/** Labels and annotations that say who has installed an object: every object of Helm's has them, and no other. */
const ofHelm = [
  'helm.sh/chart',
  'app.kubernetes.io/version',
  'app.kubernetes.io/managed-by',
  'helm.sh/resource-policy',
];

/** The objects of a text with several documents, by kind and name; read as Kubernetes reads YAML. */
export function objectsIn(text: string): Readonly<Record<string, KubernetesObject>> {
  const documents = parseAllDocuments(text, { version: '1.1' });
  if (!Array.isArray(documents)) return {};
  const objects = documents.map((document) => document.toJS() as KubernetesObject | null);
  return Object.fromEntries(
    objects.flatMap((object) => (object === null ? [] : [[`${object.kind}/${object.metadata.name}`, object] as const])),
  );
}

/** An object of Helm's without what says so; `instance` is what the release is called. */
export function withoutHelm(object: KubernetesObject, instance: string): KubernetesObject {
  const { labels = {}, annotations, ...metadata } = object.metadata;
  const isOurs = ([name, value]: readonly [string, string]): boolean =>
    !ofHelm.includes(name) && !(name === 'app.kubernetes.io/instance' && value === instance);
  const kept = {
    labels: Object.entries(labels).filter(isOurs),
    annotations: Object.entries(annotations ?? {}).filter(isOurs),
  };
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(kept.labels.length > 0 && { labels: Object.fromEntries(kept.labels) }),
      ...(kept.annotations.length > 0 && { annotations: Object.fromEntries(kept.annotations) }),
    },
  };
}
