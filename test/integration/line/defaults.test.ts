/**
 * Controller and agent with what they have when nothing is said: the controller as deploy/40-controller.yaml starts it in a
 * pod, the agent with libvirt's PKI paths and its own port.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { type LabMachine, startMachine } from '../../lab/machine.ts';
import { waitFor } from '../../lab/wait.ts';
import { programFiles } from '../agent/agent-service.ts';

const root = join(import.meta.dirname, '../../..');
const clientUri = 'spiffe://example.net/dimmer/controller';
const namespace = 'tenants';
const program = '/usr/lib/node_modules/dimmer/dist/cmd/main.js';
vi.setConfig({ testTimeout: 120_000 });

type Deployment = {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
          readonly livenessProbe: { readonly httpGet: { readonly path: string; readonly port: string } };
          readonly readinessProbe: { readonly httpGet: { readonly path: string; readonly port: string } };
        }[];
      };
    };
  };
};

await describeLab(
  'controller and agent with their defaults',
  () => {
    let lab: Lab;
    let machine: LabMachine;
    const [deployment = ''] = readFileSync(join(root, 'deploy/40-controller.yaml'), 'utf8').split('\n---\n');
    const { spec } = parse(deployment) as Deployment;
    const [container] = spec.template.spec.containers;
    if (container === undefined) throw new Error('the Deployment has no container');

    beforeAll(async () => {
      lab = await startLab({ controlPlane: {}, hypervisor: null });
      const { controlPlane } = lab;
      await controlPlane.kubectlOk(['apply', '-k', join(root, 'deploy')]);
      const account = join(controlPlane.directory, 'service-account');
      mkdirSync(account);
      const token = await controlPlane.kubectlOk([
        ...['create', 'token', 'dimmer-controller', '--namespace=dimmer-system', '--duration=24h'],
      ]);
      writeFileSync(join(account, 'token'), token.trim());
      writeFileSync(join(account, 'namespace'), 'dimmer-system');
      copyFileSync(controlPlane.caFile, join(account, 'ca.crt'));
      machine = await startMachine({
        shows: { ...programFiles(), '/run/secrets/kubernetes.io/serviceaccount': account },
      });
      await machine.showPort(Number(new URL(controlPlane.url).port));
      await install();
    });
    afterAll(async () => {
      await machine.stop();
      await lab.stop();
    });

    /** The certificates, where both look for them. */
    async function install(): Promise<void> {
      const { pki } = lab.controlPlane;
      const agent = await pki.issue({ name: 'agent', ip: ['127.0.0.1'] });
      const controller = await pki.issue({ name: 'controller', uri: [clientUri] });
      const files = {
        'pki/libvirt/servercert.pem': agent.certFile,
        'pki/libvirt/private/serverkey.pem': agent.keyFile,
        'pki/CA/cacert.pem': pki.caFile,
        'dimmer/agent-client/tls.crt': controller.certFile,
        'dimmer/agent-client/tls.key': controller.keyFile,
        'dimmer/agent-client/ca.crt': pki.caFile,
      };
      for (const [name, source] of Object.entries(files)) {
        const target = join(machine.etcDirectory, name);
        mkdirSync(dirname(target), { recursive: true });
        copyFileSync(source, target);
      }
      // systemd takes no number that has no name.
      await machine.runOk('groupadd', ['--gid=65532', 'nonroot']);
      await machine.runOk('useradd', ['--uid=65532', '--gid=65532', '--no-create-home', 'nonroot']);
      await machine.runOk('sh', ['-c', 'chown -R 65532:65532 /etc/dimmer && chmod 755 /etc/dimmer']);
    }

    /** Runs the program in the background of the machine, as a pod would: nothing of it may be written to. */
    const start = (unit: string, settings: readonly string[], args: readonly string[]): Promise<string> =>
      machine.runOk('systemd-run', [`--unit=${unit}`, ...settings, '--', '/usr/local/bin/node', program, ...args]);
    const logOf = (unit: string) => machine.runOk('journalctl', ['--unit', unit, '--output', 'cat', '--no-pager']);

    test('the agent needs nothing but to be told its client', async () => {
      await start('agent', [], ['agent', '--driver', 'simulated', '--allow-client', clientUri]);
      await waitFor(async () => (await logOf('agent')).includes('"agent is ready"'), {
        ...{ what: 'the agent to be ready', timeoutMs: 20_000 },
      });
      expect(await logOf('agent')).toMatch(/"port":9443/);
    });

    test('the controller runs as its Deployment says, in the cluster, and its probes and metrics answer', async () => {
      const url = new URL(lab.controlPlane.url);
      const settings = [
        ...['--uid=65532', '--gid=65532', '--property=NoNewPrivileges=yes', '--property=CapabilityBoundingSet='],
        ...['--property=ProtectSystem=strict', `--setenv=KUBERNETES_SERVICE_HOST=${url.hostname}`],
        `--setenv=KUBERNETES_SERVICE_PORT=${url.port}`,
      ];
      await start('controller', settings, container.args);
      const portOf = async (name: string): Promise<number> => {
        const port = container.ports.find((one) => one.name === name)?.containerPort;
        if (port === undefined) throw new Error(`the Deployment has no port ${name}`);
        return machine.relayPort(port);
      };
      const [health, metrics] = [await portOf('health'), await portOf('metrics')];
      expect([container.livenessProbe, container.readinessProbe].map(({ httpGet }) => httpGet.port)).toEqual([
        ...['health', 'health'],
      ]);
      const ask = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`);
      let log = '';
      await waitFor(
        async () => {
          log = await logOf('controller');
          return (await ask(health, container.readinessProbe.httpGet.path)).ok;
        },
        { what: 'the controller to be ready', timeoutMs: 30_000, details: () => log },
      );
      expect((await ask(health, container.livenessProbe.httpGet.path)).status).toBe(200);
      // Alone it leads at once, and then has all of its metrics.
      const leads = 'leader_election_master_status{name="dimmer-controller"} 1';
      await waitFor(async () => (await (await ask(metrics, '/metrics')).text()).includes(leads), {
        ...{ what: 'the controller to lead', timeoutMs: 30_000, details: () => log },
      });
      // Probes and scrapers add queries of their own.
      for (const path of ['/metrics', '/metrics?x=1']) {
        expect(await (await ask(metrics, path)).text(), path).toContain('workqueue_depth');
      }
      const lease = ['get', 'lease', 'dimmer-controller', '--namespace=dimmer-system'];
      expect(await lab.controlPlane.kubectlOk([...lease, '-o=jsonpath={.spec.leaseDurationSeconds}'])).toBe('12');
      expect((await ask(health, '/readyz?verbose')).status).toBe(200);
      expect((await ask(health, '/healthz?verbose&exclude=x')).status).toBe(200);
    });

    test('a VM is resized', async () => {
      const { kubectlOk } = lab.controlPlane;
      const api = { apiVersion: 'dimmer.dev/v1alpha1' };
      const items = [
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
        {
          ...{ ...api, kind: 'HypervisorHost', metadata: { name: 'hv-1' } },
          spec: { address: 'https://127.0.0.1:9443', allowedNamespaces: { from: 'All' } },
        },
        {
          ...{ ...api, kind: 'VirtualMachineMemory', metadata: { name: 'vm-1', namespace } },
          spec: { virtualMachine: { uuid: uuidOfNumber(1) }, memory: '2Gi' },
        },
      ];
      await kubectlOk(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
      const wait = ['wait', '--for=condition=Ready', '--timeout=60s', `--namespace=${namespace}`, 'vmmem/vm-1'];
      await kubectlOk(wait, { timeoutMs: 70_000 });
      expect(
        await kubectlOk(['get', 'vmmem', 'vm-1', `--namespace=${namespace}`, '-o=jsonpath={.status.memory.current}']),
      ).toBe('2Gi');
    });
  },
  ['control-plane', 'machine'],
);
