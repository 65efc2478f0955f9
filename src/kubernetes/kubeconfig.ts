/**
 * Which configuration reaches the API server, by the rules of kubectl
 * (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files).
 * client-node's own way with KUBECONFIG gives up where two files know the same name, or where one isn't there.
 */
import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration in the file at `path`; without a path, in the files that KUBECONFIG names; without either, that of the
 * pod we run in. Files are read again by nobody: credentials that they name are.
 * @throws Error that says which file or which variable is missing
 */
export function loadKubeConfig(path: string | null, environment: Environment = process.env): KubeConfig {
  if (path !== null) return leadsSomewhere(readFile(path), `the kubeconfig ${path}`);
  const named = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (named.length > 0) return loadNamed(named);
  if (environment['KUBERNETES_SERVICE_HOST'] === undefined) {
    throw new Error(
      'not running in a cluster (KUBERNETES_SERVICE_HOST is not set): name a file with --kubeconfig or KUBECONFIG',
    );
  }
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

/** One that isn't there counts for nothing, as long as another is. */
function loadNamed(named: readonly string[]): KubeConfig {
  const there = named.filter((file) => existsSync(file));
  const told = `KUBECONFIG=${named.join(delimiter)}`;
  if (there.length === 0) throw new Error(`${told} names no file that is there`);
  return leadsSomewhere(merge(there.map(readFile)), told);
}

/** Paths inside are those of the file's own directory. @throws Error that names it */
function readFile(path: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (cause) {
    throw new Error(`can't read the kubeconfig ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
  return config;
}

/** Of each name, and of the current context, the first that says it counts, as a whole. */
function merge(configs: readonly KubeConfig[]): KubeConfig {
  const firstOfEach = <T extends { readonly name: string }>(of: (config: KubeConfig) => readonly T[]): T[] => {
    const all = configs.flatMap(of);
    return all.filter(({ name }, index) => all.findIndex((other) => other.name === name) === index);
  };
  const merged = new KubeConfig();
  merged.loadFromOptions({
    clusters: firstOfEach((config) => config.clusters),
    contexts: firstOfEach((config) => config.contexts),
    users: firstOfEach((config) => config.users),
    currentContext: configs.map((config) => config.currentContext).find((name) => name),
  });
  return merged;
}

function leadsSomewhere(config: KubeConfig, told: string): KubeConfig {
  if (config.getCurrentCluster() !== null) return config;
  throw new Error(`${told} has no current context, or its context names a cluster that it lacks`);
}
