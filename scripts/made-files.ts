/**
 * What is made of sources here and of the table of reasons, beside the documents about reasons: rules and dashboards of
 * deploy/monitoring/, docs/alerts.md, what deploy/gitops/ has for Argo CD. `npm run docs` writes it (docs.ts); a test sees to
 * it that it is up to date.
 */
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { computeArgoFiles } from './gitops/argocd.ts';
import { computeMonitoringFiles } from './monitoring/files.ts';

const root = join(import.meta.dirname, '..');

/** Files by path below the repository's root. */
export async function computeMadeFiles(): Promise<ReadonlyMap<string, string>> {
  const options = await resolveConfig(join(root, 'docs/api.md'));
  const formatted = [...computeMonitoringFiles(), ...computeArgoFiles()].map(
    async ([path, text]) => [path, await format(text, { ...options, filepath: join(root, path) })] as const,
  );
  return new Map(await Promise.all(formatted));
}
