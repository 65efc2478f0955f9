import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { type Cluster, createCluster } from '../../../../src/kubernetes/cluster.ts';
import { systemClock } from '../../../../src/runtime/clock.ts';
import { silentLogger } from '../../../../src/runtime/logger.ts';
import { isOurs, pathOf } from '../../../lab/api-client.ts';
import { type Applied, applyObject, collectionOf, type Manifest } from '../../../lab/apply.ts';
import { type ControlPlane, startControlPlane } from '../../../lab/control-plane.ts';
import { installDimmer, shareControlPlane } from '../../../lab/shared-planes.ts';
import { waitFor } from '../../../lab/wait.ts';

export const deployDirectory = fileURLToPath(new URL('../../../../deploy', import.meta.url));

export const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

/** A control plane on which `kubectl apply -k deploy/` was run. */
export type DimmerCluster = ControlPlane & {
  /** Credentials of the controller's service account, with the rights of deploy/ and no others. */
  readonly controllerKubeconfig: string;
  /** Applies objects given as JavaScript, one after the other; an error carries the API server's words. */
  readonly apply: (...objects: readonly object[]) => Promise<void>;
  /** As {@link apply}, but gives the exit code, and what is said. With other options than `--dry-run=server` by kubectl. */
  readonly tryApply: (object: object, ...args: readonly string[]) => Promise<Applied>;
  /** Puts a status in place of what is there, as the administrator. */
  readonly putStatus: (kind: 'vmmem' | 'hvh', name: string, status: object, namespace?: string) => Promise<void>;
  /** By the words of `kubectl get`; one of our own objects is read without it. */
  readonly get: (
    kind: string,
    name?: string,
    ...args: readonly string[]
  ) => Promise<Record<string, unknown> & { metadata: Record<string, unknown> }>;
};

export type ClusterOptions = {
  /** For a test that kills the API server; otherwise it is one that other files have before and after. */
  readonly isOwn?: boolean;
};

export async function startDimmerCluster({ isOwn = false }: ClusterOptions = {}): Promise<DimmerCluster> {
  const plane = isOwn ? await startControlPlane() : await shareControlPlane();
  try {
    if (isOwn) await installDimmer(plane);
    const controllerKubeconfig = await plane.createKubeconfigForServiceAccount('dimmer-system', 'dimmer-controller');
    return withHelpers(plane, controllerKubeconfig);
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

/** A cluster with one resource, `t/NAME`, that wishes for 2 GiB, and one host, `hv`. */
export async function startClusterWithOne(name = 'db', options: ClusterOptions = {}): Promise<DimmerCluster> {
  const plane = await startDimmerCluster(options);
  await plane.apply(namespace('t'), memory(name, 't', { memory: '2Gi' }), host('hv'));
  return plane;
}

function withHelpers(plane: ControlPlane, controllerKubeconfig: string): DimmerCluster {
  const tryApply = async (object: object, ...args: readonly string[]): Promise<Applied> => {
    const manifest = object as Manifest;
    const isDryRun = args.length === 1 && args[0] === '--dry-run=server';
    if (collectionOf(manifest) !== undefined && (isDryRun || args.length === 0)) {
      return applyObject(plane.api, manifest, isDryRun);
    }
    const input = JSON.stringify(object);
    const { code, stdout, stderr } = await plane.kubectl(['apply', '-f', '-', ...args], { input });
    return { code: code === 0 ? 0 : 1, output: stdout + stderr };
  };
  return {
    ...plane,
    controllerKubeconfig,
    tryApply,
    async apply(...objects) {
      for (const object of objects) {
        const { code, output } = await tryApply(object);
        if (code !== 0) throw new Error(output);
      }
    },
    async putStatus(kind, name, status, namespace) {
      for (const body of [{ status: null }, { status }]) {
        const answer = await plane.api.ask(`${pathOf(kind, name, namespace)}/status`, { method: 'PATCH', body });
        if (answer.status !== 200) throw new Error(answer.text);
      }
    },
    async get(kind, name, ...args) {
      const [flag, namespace, ...more] = args;
      const isOne = isOurs(kind) && name !== undefined && (flag === undefined || flag === '-n') && more.length === 0;
      const found: unknown = isOne
        ? await plane.api.read(pathOf(kind, name, namespace))
        : JSON.parse(
            await plane.kubectlOk(['get', kind, ...(name === undefined ? [] : [name]), ...args, '-o', 'json']),
          );
      return found as Awaited<ReturnType<DimmerCluster['get']>>;
    },
  };
}

export const namespace = (name: string, labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

export const memory = (name: string, ns: string, spec: object) => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemory',
  metadata: { name, namespace: ns },
  spec: { virtualMachine: { uuid }, ...spec },
});

export const host = (name: string, spec: object = {}) => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'HypervisorHost',
  metadata: { name },
  spec: { address: 'https://127.0.0.1:9443', allowedNamespaces: { from: 'All' }, ...spec },
});

/** The composed cluster, with the controller's rights. */
export function connectAsController(cluster: Pick<DimmerCluster, 'controllerKubeconfig'>): Cluster {
  return createCluster({
    kubeconfig: cluster.controllerKubeconfig,
    registry: new Registry(),
    clock: systemClock,
    logger: silentLogger,
  });
}

/** {@link waitFor} with this test suite's patience. */
export const eventually = <T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  details: () => string | Promise<string> = () => '',
): Promise<T> => waitFor(probe, { what, timeoutMs: 30_000, intervalMs: 20, details });
