/** Which backend a command line asks for. */
import type { Given, Place } from '../command-line.ts';
import type { Backend } from './backend.ts';

/** The one for a command line. What a place needs is loaded only for it. */
export async function openBackend(place: Place, given: Given, signal: AbortSignal): Promise<Backend> {
  if (place === 'standalone') {
    const { StandaloneBackend } = await import('./standalone-backend.ts');
    return new StandaloneBackend(given);
  }
  const { ClusterBackend } = await import('./cluster-backend.ts');
  return new ClusterBackend(given, signal);
}
