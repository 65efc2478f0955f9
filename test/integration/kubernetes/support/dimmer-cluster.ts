import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { type Cluster, createCluster } from '../../../../src/kubernetes/cluster.ts';
import { systemClock } from '../../../../src/runtime/clock.ts';
import { silentLogger } from '../../../../src/runtime/logger.ts';
import { isOurs, pathOf } from '../../../lab/api-client.ts';
import { type ControlPlane, startControlPlane } from '../../../lab/control-plane.ts';
import { waitFor } from '../../../lab/wait.ts';

export const deployDirectory = fileURLToPath(new URL('../../../../deploy', import.meta.url));

export const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

/** A control plane on which `kubectl apply -k deploy/` was run. */
export type DimmerCluster = ControlPlane & {
  /** Credentials of the controller's service account, with the rights of deploy/ and no others. */
  readonly controllerKubeconfig: string;
  /** Applies objects given as JavaScript; an error carries kubectl's words. */
  readonly apply: (...objects: readonly object[]) => Promise<string>;
  /** As {@link apply}, but gives the exit code and what kubectl wrote. */
  readonly tryApply: (
    object: object,
    ...args: readonly string[]
  ) => Promise<{ readonly code: number | null; readonly output: string }>;
  /** Puts a status, as the administrator. */
  readonly putStatus: (resource: string, name: string, status: object, namespace?: string) => Promise<void>;
  /** By the words of `kubectl get`; one of our own objects is read without it. */
  readonly get: (
    kind: string,
    name?: string,
    ...args: readonly string[]
  ) => Promise<Record<string, unknown> & { metadata: Record<string, unknown> }>;
};

export async function startDimmerCluster(): Promise<DimmerCluster> {
  const plane = await startControlPlane();
  try {
    await plane.kubectlOk(['apply', '-k', deployDirectory]);
    await plane.kubectlOk(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
    const controllerKubeconfig = await plane.createKubeconfigForServiceAccount('dimmer-system', 'dimmer-controller');
    return withHelpers(plane, controllerKubeconfig);
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

/** A cluster with one resource, `t/NAME`, that wishes for 2 GiB, and one host, `hv`. */
export async function startClusterWithOne(name = 'db'): Promise<DimmerCluster> {
  const plane = await startDimmerCluster();
  await plane.apply(namespace('t'), memory(name, 't', { memory: '2Gi' }), host('hv'));
  return plane;
}

function withHelpers(plane: ControlPlane, controllerKubeconfig: string): DimmerCluster {
  const input = (objects: readonly object[]): string =>
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  return {
    ...plane,
    controllerKubeconfig,
    apply: (...objects) => plane.kubectlOk(['apply', '-f', '-'], { input: input(objects) }),
    async tryApply(object, ...args) {
      const { code, stdout, stderr } = await plane.kubectl(['apply', '-f', '-', ...args], {
        input: JSON.stringify(object),
      });
      return { code, output: stdout + stderr };
    },
    async putStatus(resource, name, status, namespace) {
      const scope = namespace === undefined ? [] : ['-n', namespace];
      await plane.kubectlOk([
        ...['patch', resource, name, ...scope, '--subresource=status', '--type=merge'],
        ...['-p', JSON.stringify({ status: null })],
      ]);
      await plane.kubectlOk([
        ...['patch', resource, name, ...scope, '--subresource=status', '--type=merge'],
        ...['-p', JSON.stringify({ status })],
      ]);
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
