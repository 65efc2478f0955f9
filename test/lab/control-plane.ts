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
import { createLabDirectory, removeLabDirectory } from './directory.ts';
import { compact, createEtcdClient, type EtcdClient } from './etcd.ts';
import { type KubeUser, writeKubeconfig } from './kubeconfig.ts';
import { copyPki, type Pki } from './pki.ts';
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
  readonly connectToEtcd: () => EtcdClient;
  /** Others had it before, and will have it: deploy/ is installed on it, and it can be neither killed nor restarted. */
  readonly isShared: boolean;
  /** What another process needs to use it. */
  readonly description: PlaneDescription;
  readonly apiServerPid: () => number;
  /** The processes that run now. */
  readonly pids: () => number[];
  readonly stop: () => Promise<void>;
};

export type PlaneDescription = Pick<ControlPlaneParts, 'binaries' | 'server' | 'admin' | 'ports'> & {
  readonly pkiDirectory: string;
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
      return controlPlaneOf(parts, parts);
    } catch (error) {
      await stopParts(parts);
      // Somebody else may have taken one of the ports since they were found free.
      if (attempt === START_ATTEMPTS || !String(error).includes('address already in use')) throw error;
    }
  }
}

/** One that another process has, and gives to one after the other. */
export function openControlPlane({ pkiDirectory, ...given }: PlaneDescription): ControlPlane {
  const directory = createLabDirectory();
  return controlPlaneOf({ ...given, directory, pki: copyPki(pkiDirectory, join(directory, 'pki')) });
}

type Parts = Pick<ControlPlaneParts, 'directory' | 'binaries' | 'pki' | 'server' | 'admin' | 'ports'>;

/** `own`: the parts of one that was started here. */
function controlPlaneOf(parts: Parts, own?: ControlPlaneParts): ControlPlane {
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
  const ours = (): ControlPlaneParts => {
    if (own === undefined) throw new Error('the control plane is shared: a test that does this starts one of its own');
    return own;
  };
  const apiServer = (): Daemon => {
    const { apiServer: daemon } = ours();
    if (daemon === undefined) throw new Error('kube-apiserver is not running');
    return daemon;
  };
  const connectToEtcd = (): EtcdClient => createEtcdClient(parts.ports.etcd, tls);
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
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
      const body = { spec: { expirationSeconds: 24 * 60 * 60 } };
      const answer = await api.ask(path, { method: 'POST', body });
      if (answer.status !== 201) throw new Error(`no token for ${namespace}/${name}: ${answer.text}`);
      const { status } = JSON.parse(answer.text) as { readonly status: { readonly token: string } };
      return kubeconfig(`${namespace}-${name}`, { kind: 'token', token: status.token });
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
      ours().apiServer = await startApiServer(ours());
    },
    compactHistory: async () => {
      const etcd = connectToEtcd();
      await compact(etcd);
      etcd.close();
    },
    connectToEtcd,
    isShared: own === undefined,
    description: {
      ...{ binaries, pkiDirectory: pki.directory, server: parts.server, admin: parts.admin, ports: parts.ports },
    },
    apiServerPid: () => apiServer().pid,
    pids: () => [own?.etcd, own?.apiServer].flatMap((daemon) => (daemon?.ended() === null ? [daemon.pid] : [])),
    async stop() {
      api.close();
      if (own === undefined) removeLabDirectory(directory);
      else await stopParts(own);
    },
  };
}
