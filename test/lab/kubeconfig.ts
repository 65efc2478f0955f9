import { writeFileSync } from 'node:fs';

/** How a client shows who it is: a certificate or a bearer token. */
export type KubeUser =
  | { readonly kind: 'certificate'; readonly certFile: string; readonly keyFile: string }
  | { readonly kind: 'token'; readonly token: string };

/** Writes a kubeconfig (JSON is YAML) that only its owner may read, and gives its path. */
export function writeKubeconfig(path: string, url: string, caPem: string, user: KubeUser): string {
  const credentials =
    user.kind === 'token' ? { token: user.token } : { 'client-certificate': user.certFile, 'client-key': user.keyFile };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    clusters: [
      { name: 'lab', cluster: { server: url, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } },
    ],
    users: [{ name: 'lab', user: credentials }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
  };
  writeFileSync(path, JSON.stringify(config, null, 2), { mode: 0o600 });
  return path;
}
