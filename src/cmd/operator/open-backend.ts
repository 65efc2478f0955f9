/** Which backend a command line asks for. */
import type { Given, Place } from '../command-line.ts';
import type { Backend } from '../../operator/backend.ts';
import type { ClusterPlace } from '../../operator/kubectl.ts';
import { ownStateDir } from '../standalone/state-dir.ts';

/** The one for a command line. What a place needs is loaded only for it. */
export async function openBackend(place: Place, given: Given, signal: AbortSignal): Promise<Backend> {
  if (place === 'standalone') {
    const { StandaloneBackend } = await import('../../operator/standalone-backend.ts');
    return new StandaloneBackend(stateDirOf(given), given.text('manifests'));
  }
  const { ClusterBackend } = await import('../../operator/cluster-backend.ts');
  return new ClusterBackend(clusterOf(given), given.has('all-namespaces'), signal);
}

/** The state directory that a command line says. */
export const stateDirOf = (given: Given): string => given.text('state-dir') ?? ownStateDir();

/** The cluster that a command line says. */
export const clusterOf = (given: Given): ClusterPlace => ({
  namespace: given.text('namespace'),
  context: given.text('context'),
  kubeconfig: given.text('kubeconfig'),
});
