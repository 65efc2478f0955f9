/** The built controller as deploy/40-controller.yaml starts it, several of them against one API server. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Daemon, logTail, startDaemon } from '../../../lab/daemon.ts';
import { freePorts } from '../../../lab/ports.ts';
import { waitFor } from '../../../lab/wait.ts';
import { builtMain } from '../../../support/built-program.ts';
import { deployDirectory, type DimmerCluster } from './dimmer-cluster.ts';
import { createLogPipe, type LogPipe } from './log-pipe.ts';

type Manifest = {
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly { args: string[] }[] } } };
};

/** The arguments of the Deployment. */
function deployedArguments(): readonly string[] {
  const [text = ''] = readFileSync(join(deployDirectory, '40-controller.yaml'), 'utf8').split('\n---\n');
  return argumentsOf(parse(text) as Manifest);
}

function argumentsOf({ spec }: Manifest): readonly string[] {
  const [container] = spec.template.spec.containers;
  if (container === undefined) throw new Error('the Deployment has no container');
  return container.args;
}

/** The arguments of the Deployments of deploy/shards/, as kustomize makes them. */
export async function deployedShards(plane: DimmerCluster): Promise<readonly (readonly string[])[]> {
  const text = await plane.kubectlOk(['kustomize', join(deployDirectory, 'shards')]);
  const manifests = text.split('\n---\n').map((each) => parse(each) as Manifest);
  return manifests.filter(({ kind }) => kind === 'Deployment').map(argumentsOf);
}

export type ControllerProcess = {
  readonly daemon: Daemon;
  /** What it logs goes through here. */
  readonly pipe: LogPipe;
  readonly logTail: () => string;
  /** Of a probe. */
  readonly status: (path: '/healthz' | '/readyz') => Promise<number>;
  /** `leader_election_master_status`; null: it doesn't answer. */
  readonly leads: () => Promise<boolean | null>;
  readonly logged: () => readonly Readonly<Record<string, unknown>>[];
};

/** Starts one, and waits until it is ready. */
export async function startElectedController(
  plane: DimmerCluster,
  name: string,
  files: { readonly certFile: string; readonly keyFile: string; readonly caFile: string },
  deployed: readonly string[] = deployedArguments(),
): Promise<ControllerProcess> {
  const [port = 0] = await freePorts(1);
  const replaced: Readonly<Record<string, string>> = {
    '--agent-client-cert-file': files.certFile,
    '--agent-client-key-file': files.keyFile,
    '--agent-ca-file': files.caFile,
    '--metrics-bind-address': `127.0.0.1:${port}`,
    '--health-probe-bind-address': `127.0.0.1:${port}`,
  };
  const args = deployed.map((arg) => {
    const [option = ''] = arg.split('=', 1);
    return replaced[option] === undefined ? arg : `${option}=${replaced[option]}`;
  });
  const logFile = join(plane.directory, `${name}-${port}.log`);
  writeFileSync(logFile, '');
  const pipe = await createLogPipe(logFile);
  const daemon = await startDaemon({
    ...{ name, logFile: pipe.path, command: process.execPath },
    args: [builtMain, ...args, `--kubeconfig=${plane.controllerKubeconfig}`],
  });
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) });
  const status: ControllerProcess['status'] = async (path) => {
    try {
      return (await get(path)).status;
    } catch {
      return 0;
    }
  };
  await waitFor(async () => (await status('/readyz')) === 200, {
    ...{ what: `${name} to be ready`, timeoutMs: 30_000, intervalMs: 50, details: () => logTail(name, logFile) },
  });
  return {
    daemon,
    pipe,
    logTail: () => logTail(name, logFile),
    status,
    async leads() {
      try {
        const text = await (await get('/metrics')).text();
        return /^leader_election_master_status\{name="[^"]+"\} 1$/m.test(text);
      } catch {
        return null;
      }
    },
    logged: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
  };
}
