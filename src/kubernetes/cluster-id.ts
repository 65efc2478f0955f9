/** What tells one cluster from another. */
import type { LabelledResource, ResourceSource } from '../runtime/resources.ts';

/**
 * The uid of the namespace kube-system: every cluster has one, it never changes, and no two share it
 * (the same choice as node-feature-discovery, kubeadm's upgrade checks and others). Waits for the first complete set.
 * @throws Error when there is no such namespace
 */
export async function readClusterId(namespaces: ResourceSource<LabelledResource>): Promise<string> {
  await new Promise<void>((resolve) => namespaces.onSynced(resolve));
  const kubeSystem = namespaces.get('kube-system');
  if (kubeSystem === undefined) throw new Error('the cluster has no namespace kube-system, whose uid would name it');
  return kubeSystem.metadata.uid;
}
