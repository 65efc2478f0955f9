/** The host in this process, as a manifest would say it; one of that name takes its place. */
import { keyOfManifest, type Manifest } from './manifest.ts';
import type { Place } from './manifest-place.ts';

/** The name of the in-process host. Its `spec.address` is not used. */
export const localhostName = 'localhost';

const place: Place = { file: '(built in)', line: 1, column: 1 };
const metadata = { name: localhostName, namespace: '', labels: {}, annotations: {} };
const given = { address: 'https://localhost', allowedNamespaces: { from: 'All' } };

/** Every namespace may use it, as whoever writes the manifests is the host's admin. */
export const localhostManifest: Manifest = {
  kind: 'HypervisorHost',
  key: keyOfManifest('HypervisorHost', metadata),
  metadata,
  given,
  spec: { ...given, memoryReserve: '0', memoryOvercommit: '1.0', maxConcurrentOperations: 4 },
  place,
  placeOf: () => place,
};
