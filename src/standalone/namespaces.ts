/** The namespaces that manifests name: there is nobody to make them, so each is there once a manifest says it. */
import type { LabelledResource, ResourceChange, ResourceSource } from '../runtime/resources.ts';

export class NamedNamespaces implements ResourceSource<LabelledResource> {
  readonly synced = true;
  readonly #known = new Map<string, LabelledResource>();
  readonly #listeners = new Set<(change: ResourceChange<LabelledResource>) => void>();

  /** From now on it is there. Its one label is the one that Kubernetes gives to every namespace. */
  know(name: string): void {
    if (this.#known.has(name)) return;
    const labels = { 'kubernetes.io/metadata.name': name };
    const current = { metadata: { name, uid: name, resourceVersion: '1', generation: 1, labels } };
    this.#known.set(name, current);
    for (const listener of this.#listeners) listener({ key: name, previous: undefined, current });
  }

  get(key: string): LabelledResource | undefined {
    return this.#known.get(key);
  }

  list(): readonly LabelledResource[] {
    return [...this.#known.values()];
  }

  onChange(listener: (change: ResourceChange<LabelledResource>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onSynced(listener: () => void): void {
    listener();
  }

  refresh(): void {
    return;
  }
}
