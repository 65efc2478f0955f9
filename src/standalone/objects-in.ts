/** The objects of Kubernetes that a document of a manifest holds. Pure. */
import { isObject } from '../memory/shape.ts';
import type { Path, YamlDocument } from './yaml.ts';

/** The places of the objects in a document: the document itself, or the items of a list. */
export function objectsIn({ value }: YamlDocument): readonly Path[] {
  if (!isObject(value) || typeof value['kind'] !== 'string' || !value['kind'].endsWith('List')) return [[]];
  const { items } = value;
  return Array.isArray(items) ? items.map((_, index) => ['items', index]) : [];
}
