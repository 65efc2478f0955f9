import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiClient, createApiClient } from './api-client.ts';
import { ensureControlPlane } from './control-plane-binaries.ts';
import {
  type ControlPlaneParts,
  prepareParts,
  startApiServer,
  startEtcd,
  stopParts,
} from './control-plane-processes.ts';
import type { Daemon } from './daemon.ts';
import { createLabDirectory } from './directory.ts';
import { type KubeUser, writeKubeconfig } from './kubeconfig.ts';
import type { Pki } from './pki.ts';
import { reportToTerminal, type Report } from './progress.ts';
import { type CommandResult, run, runOk, type RunOptions } from './run.ts';

export type ControlPlaneOptions = {
  /** Further flags of kube-apiserver, for example `--feature-gates=...`. */
  readonly apiServerArgs?: readonly string[];
  readonly report?: Report;
};

export type KubectlOptions = {
  readonly input?: string;
  /** The administrator's when left out. */
  readonly kubeconfig?: string;
  readonly timeoutMs?: number;
};

/**
 * etcd and kube-apiserver on 127.0.0.1, with TLS and RBAC. There is no controller manager: deleted namespaces stay
 * Terminating, and no default service accounts appear.
 */
export type ControlPlane = {
  readonly url: string;
  readonly directory: string;
  readonly caPem: string;
  readonly caFile: string;
  readonly pki: Pki;
  readonly adminKubeconfig: string;
  /** The administrator's, for what is asked often. */
  readonly api: ApiClient;
  /** The client that fits the server; `kubectl()` runs it. */
  readonly kubectlPath: string;
  readonly kubectl: (args: readonly string[], options?: KubectlOptions) => Promise<CommandResult>;
  /** As `kubectl`, but a non-zero exit is an error; gives stdout. */
  readonly kubectlOk: (args: readonly string[], options?: KubectlOptions) => Promise<string>;
  /** A kubeconfig with a token of the service account, which must exist. Gives its path. */
  readonly createKubeconfigForServiceAccount: (namespace: string, name: string) => Promise<string>;
  /** A kubeconfig with a client certificate for a user of these groups. Gives its path. */
  readonly createKubeconfigForUser: (name: string, group?: string) => Promise<string>;
  readonly signalApiServer: (signal: NodeJS.Signals) => void;
  /** SIGKILL, and waits until it is gone. */
  readonly killApiServer: () => Promise<void>;
  /** Ends it if it runs, starts it again on the same port and waits until it is ready. */
  readonly restartApiServer: () => Promise<void>;
  /** Has etcd's history go on, and forget all of it until now: no watch can be taken up from before. */
  readonly compactHistory: () => Promise<void>;
  readonly apiServerPid: () => number;
  /** The processes that run now. */
  readonly pids: () => number[];
  readonly stop: () => Promise<void>;
};

const START_ATTEMPTS = 3;

/** Starts a control plane with its own data, ready to be used. Builds the programs first if they are not there. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await ensureControlPlane(options.report ?? reportToTerminal);
  for (let attempt = 1; ; attempt++) {
    const directory = createLabDirectory();
    const parts = await prepareParts(directory, binaries, options.apiServerArgs ?? []);
    try {
      parts.etcd = await startEtcd(parts);
      parts.apiServer = await startApiServer(parts);
      return controlPlaneOf(parts);
    } catch (error) {
      await stopParts(parts);
      // Somebody else may have taken one of the ports since they were found free.
      if (attempt === START_ATTEMPTS || !String(error).includes('address already in use')) throw error;
    }
  }
}

function controlPlaneOf(parts: ControlPlaneParts): ControlPlane {
  const { directory, pki, binaries } = parts;
  const url = `https://127.0.0.1:${parts.ports.api}`;
  const tls = { ca: pki.caPem, cert: readFileSync(parts.admin.certFile), key: readFileSync(parts.admin.keyFile) };
  const api = createApiClient(url, tls);
  const kubeconfig = (name: string, user: KubeUser): string =>
    writeKubeconfig(join(pki.directory, `${name}.kubeconfig`), url, pki.caPem, user);
  const adminKubeconfig = kubeconfig('admin', { kind: 'certificate', ...parts.admin });
  const command = (args: readonly string[], options: KubectlOptions): [string, readonly string[], RunOptions] => [
    binaries.kubectl,
    // A cache of its own: discovery of another server on the same port would be stale.
    [
      `--kubeconfig=${options.kubeconfig ?? adminKubeconfig}`,
      `--cache-dir=${join(directory, 'kubectl-cache')}`,
      ...args,
    ],
    options,
  ];
  const apiServer = (): Daemon => {
    if (parts.apiServer === undefined) throw new Error('kube-apiserver is not running');
    return parts.apiServer;
  };
  const kubectlOk: ControlPlane['kubectlOk'] = (args, options = {}) => runOk(...command(args, options));
  return {
    url,
    directory,
    caPem: pki.caPem,
    caFile: pki.caFile,
    pki,
    adminKubeconfig,
    api,
    kubectlPath: binaries.kubectl,
    kubectl: (args, options = {}) => run(...command(args, options)),
    kubectlOk,
    createKubeconfigForServiceAccount: async (namespace, name) => {
      const token = await kubectlOk(['create', 'token', name, `--namespace=${namespace}`, '--duration=24h']);
      return kubeconfig(`${namespace}-${name}`, { kind: 'token', token: token.trim() });
    },
    createKubeconfigForUser: async (name, group) => {
      const issued = await pki.issue({ name, ...(group === undefined ? {} : { organization: group }) });
      return kubeconfig(`user-${name}`, { kind: 'certificate', ...issued });
    },
    signalApiServer: (signal) => apiServer().kill(signal),
    killApiServer: async () => {
      apiServer().kill('SIGKILL');
      await apiServer().whenEnded;
    },
    restartApiServer: async () => {
      await apiServer().stop(10_000);
      parts.apiServer = await startApiServer(parts);
    },
    compactHistory: async () => {
      const etcd = createApiClient(`https://127.0.0.1:${parts.ports.etcd}`, tls);
      const post = async (path: string, body: object): Promise<{ readonly header: { readonly revision: string } }> => {
        const { status, text } = await etcd.ask(`/v3/kv/${path}`, { method: 'POST', body });
        if (status !== 200) throw new Error(`etcd answers ${status} to ${path}: ${text}`);
        return JSON.parse(text) as { readonly header: { readonly revision: string } };
      };
      const base64 = (word: string): string => Buffer.from(word).toString('base64');
      const { header } = await post('put', { key: base64('lab'), value: base64(new Date().toISOString()) });
      await post('compaction', { revision: header.revision, physical: true });
      etcd.close();
    },
    apiServerPid: () => apiServer().pid,
    pids: () => [parts.etcd, parts.apiServer].flatMap((daemon) => (daemon?.ended() === null ? [daemon.pid] : [])),
    stop: () => {
      api.close();
      return stopParts(parts);
    },
  };
}
