/**
 * Who else writes a resource's size, by what the object itself says (metadata.managedFields, labels, annotations): what a
 * person changes by hand there is changed back. Pure.
 */
import { isObject } from '../memory/shape.ts';

/** `what`: what says so, in words that stand alone. */
export type OtherWriter = { readonly what: string };

/** People at a terminal, and our own tools; a size they wrote is theirs to change. */
const byHand = /^(kubectl|dimmer)(-|$)/;

/** Marks that GitOps tools leave on what they manage, whoever wrote the size last. */
const marks: readonly (readonly [where: 'labels' | 'annotations', key: string, tool: string])[] = [
  ['annotations', 'argocd.argoproj.io/tracking-id', 'Argo CD'],
  ['labels', 'argocd.argoproj.io/instance', 'Argo CD'],
  ['labels', 'kustomize.toolkit.fluxcd.io/name', 'Flux'],
  ['labels', 'helm.toolkit.fluxcd.io/name', 'Flux'],
];

const memberOf = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);

/** What of a spec a person may write here, and what it is called. */
const written = { memory: 'size', shrinkPolicy: 'shrinkPolicy' } as const;

/** All that write these fields of an object's spec beside people; each once. */
export function findOtherWriters(
  object: object,
  names: readonly (keyof typeof written)[] = ['memory'],
): readonly OtherWriter[] {
  const metadata = memberOf(object, 'metadata');
  const fields = memberOf(metadata, 'managedFields');
  const managers = (Array.isArray(fields) ? (fields as readonly unknown[]) : []).flatMap((entry): readonly string[] => {
    const manager = memberOf(entry, 'manager');
    const spec = memberOf(memberOf(entry, 'fieldsV1'), 'f:spec');
    if (memberOf(entry, 'subresource') !== undefined) return [];
    if (typeof manager !== 'string' || byHand.test(manager)) return [];
    return names.flatMap((name) =>
      memberOf(spec, `f:${name}`) === undefined ? [] : [`${manager} writes its ${written[name]}`],
    );
  });
  const tools = marks.flatMap(([where, key, tool]) => {
    const value = memberOf(memberOf(metadata, where), key);
    return typeof value === 'string' ? [`${tool} manages it (${key}: ${value.slice(0, 64)})`] : [];
  });
  const helm =
    memberOf(memberOf(metadata, 'labels'), 'app.kubernetes.io/managed-by') === 'Helm' ? ['Helm manages it'] : [];
  return [...new Set([...managers, ...tools, ...helm])].map((what) => ({
    what,
  }));
}
