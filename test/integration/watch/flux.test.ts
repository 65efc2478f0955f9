/**
 * What Flux' own kustomize-controller makes of deploy/gitops/flux, as it stands: it installs Dimmer from a repository, then hosts,
 * then VMs. The kubelet's part is the test's; hosts are simulated.
 */
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { paths } from '../../../src/console/wire.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { pathOf } from '../../lab/api-client.ts';
import { type ControlPlane, startControlPlane } from '../../lab/control-plane.ts';
import { describeLab } from '../../lab/describe.ts';
import { run } from '../../lab/run.ts';
import { root } from '../../lab/stack.ts';
import { builtMain } from '../../support/built-program.ts';
import { ask, changeCode } from '../../support/console-bench.ts';
import { startConsole } from '../../support/console/running-console.ts';
import { eventually, host, memory, namespace } from '../kubernetes/support/dimmer-cluster.ts';
import { type LiveController, startLiveController } from '../kubernetes/support/live-controller.ts';
import { type Flux, startFlux } from './flux-bench.ts';

const flux = 'deploy/gitops/flux';
const uuidOf = (name: string): string => `00000000-0000-4000-8000-00000000000${name.at(-1)}`;
/** Nothing lies between 1Gi and 2Gi of those that have a module. */
const domains = {
  'hv-07': [
    { uuid: uuidOf('db-1'), name: 'db-1', boot: gib(1) },
    ...['db-2', 'db-3', 'db-4'].map((name) => ({
      uuid: uuidOf(name),
      name,
      boot: gib(1),
      modules: [{ size: gib(1) }],
    })),
  ],
};

/** Sizes of the VMs. */
type Wish = { readonly one?: string; readonly two?: string; readonly three?: string };

/** What is committed: the definitions, one host, VMs of a namespace with the label, and of one without it. */
function filesOf({ one = '2Gi', two = '2Gi', three = '2Gi' }: Wish = {}) {
  const vm = (name: string, ns: string, size: string, more: object = {}): string =>
    JSON.stringify(
      memory(name, ns, { virtualMachine: { uuid: uuidOf(name) }, memory: size, growPolicy: 'Whole', ...more }),
    );
  return {
    'dimmer/kustomization.yaml': 'resources: [../deploy]\n',
    'hosts/hv-07.yaml': JSON.stringify(host('hv-07')),
    'vms/tenants.yaml': readFileSync(join(root, flux, 'namespace.yaml'), 'utf8'),
    'vms/strict.yaml': JSON.stringify(namespace('strict')),
    'vms/db-1.yaml': vm('db-1', 'tenants', one),
    'vms/db-2.yaml': vm('db-2', 'strict', two),
    'vms/db-3.yaml': vm('db-3', 'tenants', three),
    // Somebody has paused it, short of a size that it could not have either.
    'vms/db-4.yaml': vm('db-4', 'tenants', '1536Mi', { paused: true }),
  };
}

await describeLab(
  "Flux' kustomize-controller",
  () => {
    let plane: ControlPlane;
    let bench: Flux;
    let controller: LiveController | undefined;
    let env: Record<string, string>;

    beforeAll(async () => {
      plane = await startControlPlane();
      bench = await startFlux(plane);
      const path = [dirname(plane.kubectlPath), process.env['PATH'] ?? ''].join(delimiter);
      env = { PATH: path, KUBECONFIG: plane.adminKubeconfig, HOME: plane.directory };
    });
    afterAll(async () => {
      await controller?.close();
      await bench.stop();
      await plane.stop();
    });

    const namesOf = async (plural: string): Promise<readonly string[]> => {
      const found = await plane.api.read(`/apis/dimmer.dev/v1alpha1/${plural}`);
      return (found as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name);
    };
    const read = async (name: string): Promise<VirtualMachineMemory> =>
      (await plane.api.read(pathOf('vmmem', name, 'tenants'))) as VirtualMachineMemory;

    /** What the controller manager and the kubelet do: the pods of the Deployment run. */
    async function runPods(): Promise<void> {
      const path = '/apis/apps/v1/namespaces/dimmer-system/deployments/dimmer-controller';
      await eventually('the Deployment', async () => (await plane.api.ask(path)).status === 200);
      const condition = (type: string, reason: string) => ({ type, reason, status: 'True', message: '' });
      const status = {
        ...{ observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 },
        conditions: [
          condition('Available', 'MinimumReplicasAvailable'),
          condition('Progressing', 'NewReplicaSetAvailable'),
        ],
      };
      await plane.api.merge(`${path}/status`, { status });
    }

    it('installs the controller first, then the hosts, then the VMs, each when the one before is ready, and waits for no VM that is paused', async () => {
      const revision = await bench.commit(filesOf());
      await plane.kubectlOk(['apply', '-f', join(root, flux, 'dimmer.yaml')]);
      expect(await bench.says('dimmer-hosts', 'DependencyNotReady')).toContain('flux-system/dimmer');
      expect(await bench.says('dimmer-vms', 'DependencyNotReady')).toContain('flux-system/dimmer-hosts');
      await runPods();
      await bench.says('dimmer', 'ReconciliationSucceeded', revision);

      // Nobody has looked at the host: it isn't ready, and the VMs wait.
      await eventually('the host', async () => (await namesOf('hypervisorhosts')).includes('hv-07'));
      await bench.says('dimmer-hosts', 'Progressing', revision);
      expect(await namesOf('virtualmachinememories')).toEqual([]);
      const controllerKubeconfig = await plane.createKubeconfigForServiceAccount('dimmer-system', 'dimmer-controller');
      controller = await startLiveController({ controllerKubeconfig }, { domains });
      await bench.says('dimmer-hosts', 'ReconciliationSucceeded', revision);
      await bench.says('dimmer-vms', 'ReconciliationSucceeded', revision);
      expect(controller.host('hv-07').script.total(uuidOf('db-1'))).toBe(gib(2));
      // By the expressions: to kstatus alone it is on its way.
      const paused = findCondition((await read('db-4')).status?.conditions, 'Ready');
      expect(paused).toMatchObject({ status: 'False', reason: 'Paused' });
    });

    it('is named to whoever would resize what it manages, by the command and by the console', async () => {
      const mark = 'Flux manages it (kustomize.toolkit.fluxcd.io/name: dimmer-vms)';
      const writer = 'kustomize-controller writes its size';
      const program = join(dirname(builtMain), 'kubectl-dimmer.js');
      const resized = await run(process.execPath, [program, 'resize', 'tenants/db-1', '3Gi', '--yes'], { env });
      const words = resized.stdout.replaceAll(/\s+/g, ' ');
      expect([resized.code, words]).toEqual([1, expect.stringContaining(writer)]);
      expect(words).toContain(mark);

      const console = await startConsole({ program: 'kubectl-dimmer', env });
      const [, port = '', code = ''] = /:(\d+)\/#code=(\S+)/.exec(console.link) ?? [];
      const { secret } = JSON.parse((await changeCode(Number(port), code)).body) as { readonly secret: string };
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${secret}` };
      let answer: unknown;
      await eventually(
        'a word on who owns it',
        async () => {
          const { resourceVersion } = (await read('db-1')).metadata;
          const wish = { resourceVersion, memory: '3Gi', dryRun: false, force: false };
          const body = JSON.stringify({ namespace: 'tenants', name: 'db-1', ...wish });
          answer = JSON.parse((await ask(Number(port), paths.memory, { method: 'POST', headers, body })).body);
          return (answer as { readonly outcome: string }).outcome === 'owned';
        },
        () => JSON.stringify(answer),
      );
      await console.end();
      expect(answer).toEqual({ outcome: 'owned', writers: [{ what: writer }, { what: mark }] });
      expect((await read('db-1')).spec.memory).toBe('2Gi');
    });

    it('applies nothing of a commit with a size that is refused; with the label it applies all, and says which VM fails', async () => {
      const refused = await bench.commit(filesOf({ one: '3Gi', two: '1536Mi' }));
      const refusal = await bench.says('dimmer-vms', 'ReconciliationFailed', refused);
      expect(refusal).toMatch(/strict\/db-2.*nearest sizes that can be reached: 1Gi and 2Gi/s);
      expect((await read('db-1')).spec.memory).toBe('2Gi');

      const warned = await bench.commit(filesOf({ one: '3Gi', three: '1536Mi' }));
      const failure = await bench.says('dimmer-vms', 'HealthCheckFailed', warned);
      expect(failure).toContain("[VirtualMachineMemory/tenants/db-3 status: 'Failed']");
      const ready = findCondition((await read('db-3')).status?.conditions, 'Ready');
      expect(ready).toMatchObject({ status: 'False', reason: 'UnreachableSize' });
      await eventually('the other VM', () => controller?.host('hv-07').script.total(uuidOf('db-1')) === gib(3));
    });
  },
  ['control-plane', 'flux'],
);
