/** An object as people are shown it. */

/** As `kubectl get` prints it: without what only conflicts need. */
export function withoutManagers(object: object): object {
  if (!('metadata' in object)) return object;
  const { managedFields: _, ...metadata } = object.metadata as Readonly<Record<string, unknown>>;
  return { ...object, metadata };
}
