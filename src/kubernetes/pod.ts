/** The pod that this process runs in. */
import { readFileSync } from 'node:fs';

const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** Its namespace; null: it runs in none, or has no service account. */
export function podNamespace(): string | null {
  try {
    const namespace = readFileSync(namespaceFile, 'utf8').trim();
    return namespace === '' ? null : namespace;
  } catch {
    return null;
  }
}
