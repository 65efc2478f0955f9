/**
 * Controller and agent with what they have when nothing is said: the controller as the chart installs it with the real helm, and as a
 * kubelet would start it, from the image, by a container engine; the agent with libvirt's PKI paths and its own port. Then what the
 * guide says of a release: tested, upgraded, uninstalled, and taken over from kubectl.
 */
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { chartTools } from '../../lab/chart-tools.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import type { Daemon } from '../../lab/daemon.ts';
import { type LabMachine, startMachine } from '../../lab/machine.ts';
import { type CommandResult, run, SEARCH_PATH } from '../../lab/run.ts';
import { GiveUp, waitFor } from '../../lab/wait.ts';
import { commandsOf, documented, type Snippet } from '../../support/documents.ts';
import { programFiles } from '../agent/agent-service.ts';
import { makePods, type Pods, type PodSpec } from './pods.ts';

const root = join(import.meta.dirname, '../../..');
const clientUri = 'spiffe://example.net/dimmer/controller';
const namespace = 'tenants';
const system = '--namespace=dimmer-system';
const program = '/usr/lib/node_modules/dimmer/dist/cmd/main.js';
vi.setConfig({ testTimeout: 120_000 });

type Probe = { readonly httpGet: { readonly path: string; readonly port: string } };
type DeployedPod = PodSpec & {
  readonly containers: readonly [{ readonly livenessProbe: Probe; readonly readinessProbe: Probe }];
};

await describeLab(
  'controller and agent with their defaults',
  () => {
    let lab: Lab;
    let machine: LabMachine;
    let pods: Pods;
    let pod: DeployedPod;
    let controller: Daemon | undefined;
    /** Where the admin types, with certificates, and with the chart of an earlier version. */
    let desk: string;

    beforeAll(async () => {
      lab = await startLab({ controlPlane: {}, hypervisor: null });
      const { controlPlane } = lab;
      desk = join(controlPlane.directory, 'desk');
      mkdirSync(desk);
      makeEarlierChart();
      const controller = await controlPlane.pki.issue({ name: 'controller', uri: [clientUri] });
      copyFileSync(controller.certFile, join(desk, 'tls.crt'));
      copyFileSync(controller.keyFile, join(desk, 'tls.key'));
      copyFileSync(controlPlane.pki.caFile, join(desk, 'ca.crt'));

      const [install = '', check = ''] = typed(
        documented('docs/operations.md', 'helm install dimmer deploy/helm/dimmer --namespace dimmer-system --create'),
      );
      checkCommand = check;
      await type(install, desk);
      await type(typed(documented('docs/operations.md', 'dimmer-agent-client -n dimmer-system'))[0] ?? '', desk);
      pods = await makePods(controlPlane);
      pod = await podOf('deployment', 'dimmer-controller');
      // Of the earlier version there is a chart, and no program.
      await pods.image.containers.podmanOk(['tag', pods.image.name, pod.containers[0].image]);
      await pods.fill(pod, 'dimmer-system');
      machine = await startMachine({ shows: programFiles() });
      await machine.showPort(Number(new URL(controlPlane.url).port));
      installAgent(await controlPlane.pki.issue({ name: 'agent', ip: ['127.0.0.1'] }));
    });
    afterAll(async () => {
      await controller?.stop();
      await machine.stop();
      await lab.stop();
    });

    let checkCommand = '';
    const typed = (snippet: Snippet): readonly string[] => commandsOf(snippet).map(({ command }) => command);
    const shell = (command: string, cwd: string): Promise<CommandResult> => {
      const { controlPlane } = lab;
      const places = [chartTools.find()?.helm ?? '', controlPlane.kubectlPath].map(dirname);
      const home = (name: string) => join(controlPlane.directory, `helm-${name}`);
      return run('sh', ['-euc', command], {
        cwd,
        env: {
          ...{ PATH: [...places, SEARCH_PATH].join(':'), KUBECONFIG: controlPlane.adminKubeconfig },
          ...{ HELM_CACHE_HOME: home('cache'), HELM_CONFIG_HOME: home('config'), HELM_DATA_HOME: home('data') },
        },
        timeoutMs: 90_000,
      });
    };
    const type = async (command: string, cwd = root): Promise<string> => {
      const { code, stdout, stderr } = await shell(command, cwd);
      expect(code, `${command}\n${stdout}${stderr}`).toBe(0);
      return stdout;
    };
    /** The pods that an object asks for; a Pod's own. */
    const podOf = async (kind: string, name: string): Promise<DeployedPod> => {
      const { spec } = JSON.parse(await lab.controlPlane.kubectlOk(['get', kind, name, system, '-o', 'json'])) as {
        readonly spec: DeployedPod & { readonly template?: { readonly spec: DeployedPod } };
      };
      return spec.template?.spec ?? spec;
    };
    /** The objects of ours that there are, by kind and name. */
    const installed = async (): Promise<readonly string[]> => {
      const kinds = [
        ...['crd', 'clusterrole', 'clusterrolebinding', 'role', 'rolebinding', 'serviceaccount', 'deployment', 'pdb'],
        ...['networkpolicy', 'priorityclass', 'validatingadmissionpolicy', 'validatingadmissionpolicybinding'],
      ].join(',');
      const list = ['get', kinds, '--all-namespaces', '--selector=app.kubernetes.io/part-of=dimmer', '-o', 'name'];
      return (await lab.controlPlane.kubectlOk(list)).trim().split('\n').filter(Boolean).sort();
    };

    /** Of a version before this one, which knew a column less. */
    function makeEarlierChart(): void {
      const chart = join(desk, 'deploy/helm/dimmer');
      cpSync(join(root, 'deploy/helm/dimmer'), chart, { recursive: true });
      const edit = (name: string, pattern: RegExp, becomes: string): void => {
        const before = readFileSync(join(chart, name), 'utf8');
        const after = before.replaceAll(pattern, becomes);
        if (after === before) throw new Error(`${name} has nothing like ${String(pattern)}`);
        writeFileSync(join(chart, name), after);
      };
      edit('Chart.yaml', /^(version|appVersion): .*$/gm, '$1: 0.0.9');
      edit('templates/crd-hypervisorhosts.yaml', /^ +- name: Address\n(?: {10}.*\n)+/gm, '');
    }

    /** The agent's certificates, where it looks for them. */
    function installAgent(agent: { readonly certFile: string; readonly keyFile: string }): void {
      const places = {
        'pki/libvirt/servercert.pem': agent.certFile,
        'pki/libvirt/private/serverkey.pem': agent.keyFile,
        'pki/CA/cacert.pem': lab.controlPlane.pki.caFile,
      };
      for (const [name, source] of Object.entries(places)) {
        const target = join(machine.etcDirectory, name);
        mkdirSync(dirname(target), { recursive: true });
        copyFileSync(source, target);
      }
    }

    const logOf = (unit: string) => machine.runOk('journalctl', ['--unit', unit, '--output', 'cat', '--no-pager']);

    test('the agent needs nothing but to be told its client', async () => {
      const agent = ['agent', '--driver', 'simulated', '--allow-client', clientUri];
      await machine.runOk('systemd-run', ['--unit=agent', '--', '/usr/local/bin/node', program, ...agent]);
      await waitFor(async () => (await logOf('agent')).includes('"agent is ready"'), {
        ...{ what: 'the agent to be ready', timeoutMs: 20_000 },
      });
      expect(await logOf('agent')).toMatch(/"port":9443/);
    });

    test('an engine makes of the Dockerfile what is read in it, without a shell, and nothing in it is written to', async () => {
      const { file, name, containers } = pods.image;
      const [inspected] = JSON.parse(await containers.podmanOk(['image', 'inspect', name])) as [
        { readonly Config: Record<string, unknown>; readonly Labels: Record<string, string> },
      ];
      expect(inspected.Config).toMatchObject({
        ...{ User: file.user, Entrypoint: file.entrypoint, Cmd: file.command, WorkingDir: file.workingDirectory },
        Env: Object.entries(file.env).map(([key, value]) => `${key}=${value}`),
        ExposedPorts: Object.fromEntries(file.ports.map((port) => [`${port}/tcp`, {}])),
      });
      expect(inspected.Labels).toMatchObject({ ...file.labels, 'org.opencontainers.image.revision': 'of-the-lab' });

      const [container] = pod.containers;
      const runs = (command: readonly string[], args: readonly string[] = []) =>
        pods.run({ ...pod, containers: [{ ...container, command, args }] }, machine.initPid);
      expect(await runs([...file.entrypoint, '--version'])).toMatchObject({
        code: 0,
        stdout: `${name.replace(':', ' ')}\n`,
      });
      expect((await runs(['/bin/sh', '-c', 'true'])).stderr).toContain('no such file or directory');
      const look = `const { readFileSync, writeFileSync } = require('node:fs');
        const errorOf = (file) => { try { writeFileSync(file, ''); } catch ({ code }) { return code; } };
        const status = readFileSync('/proc/self/status', 'utf8');
        const said = (name) => status.match(new RegExp('^' + name + ':\\\\s+(.*)$', 'm'))[1];
        const words = [['/x', '/tmp/x', '/app/x', '/run/x'].map(errorOf), process.getuid(), said('CapBnd'), said('NoNewPrivs'), said('Seccomp')];
        console.log(JSON.stringify(words));`;
      const looked = await runs(['node', '--eval', look]);
      expect(looked).toMatchObject({ code: 0, stderr: '' });
      const [errors, ...rest] = JSON.parse(looked.stdout) as readonly unknown[];
      expect(errors).toEqual(['EROFS', 'EROFS', 'EROFS', 'EROFS']);
      expect(rest).toEqual([65532, '0000000000000000', '1', '2']);
    });

    test('the controller runs as its Deployment says, in the cluster, and its probes and metrics answer', async () => {
      const started = await pods.start(pod, machine.initPid);
      controller = started;
      const [container] = pod.containers;
      const portOf = async (name: string): Promise<number> => {
        const port = container.ports?.find((one) => one.name === name)?.containerPort;
        if (port === undefined) throw new Error(`the Deployment has no port ${name}`);
        return machine.relayPort(port);
      };
      const [health, metrics] = [await portOf('health'), await portOf('metrics')];
      expect([container.livenessProbe, container.readinessProbe].map(({ httpGet }) => httpGet.port)).toEqual([
        ...['health', 'health'],
      ]);
      const ask = (port: number, path: string) => fetch(`http://127.0.0.1:${port}${path}`);
      await waitFor(
        async () => {
          if (started.ended() !== null) throw new GiveUp(started.logTail());
          return (await ask(health, container.readinessProbe.httpGet.path)).ok;
        },
        { what: 'the controller to be ready', timeoutMs: 30_000, details: started.logTail },
      );
      expect((await ask(health, container.livenessProbe.httpGet.path)).status).toBe(200);
      // Alone it leads at once, and then has all of its metrics.
      const leads = 'leader_election_master_status{name="dimmer-controller"} 1';
      await waitFor(async () => (await (await ask(metrics, '/metrics')).text()).includes(leads), {
        ...{ what: 'the controller to lead', timeoutMs: 30_000, details: started.logTail },
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

    test('helm test looks whether one leads, with nothing but what the controller has', async () => {
      const tested = shell(checkCommand, root);
      const name = 'dimmer-controller-test';
      const isThere = async () => (await lab.controlPlane.kubectl(['get', 'pod', name, system])).code === 0;
      await waitFor(isThere, { what: 'helm to make the pod', timeoutMs: 60_000 });
      const answer = await pods.run(await podOf('pod', name), machine.initPid);
      const phase = answer.code === 0 ? 'Succeeded' : 'Failed';
      const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status: { phase } })];
      await lab.controlPlane.kubectlOk(['patch', 'pod', name, system, ...patch]);
      expect(answer).toMatchObject({ code: 0, stderr: '' });
      expect(answer.stdout).toMatch(/^\S+ leads, by the Lease dimmer-system\/dimmer-controller\n$/);
      const { code, stdout, stderr } = await tested;
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/Phase: +Succeeded/);
    });

    test('helm upgrade changes the definitions as well, and no resource is lost', async () => {
      const columns = async () => (await lab.controlPlane.kubectlOk(['get', 'hvh'])).split('\n')[0] ?? '';
      expect(await columns()).not.toContain('ADDRESS');
      await type(typed(documented('docs/operations.md', 'helm upgrade dimmer deploy/helm/dimmer'))[0] ?? '');
      await waitFor(async () => (await columns()).includes('ADDRESS'), { what: 'the new column', timeoutMs: 30_000 });
      const read = ['get', 'vmmem', 'vm-1', `--namespace=${namespace}`, '-o=jsonpath={.spec.memory}'];
      expect(await lab.controlPlane.kubectlOk(read)).toBe('2Gi');
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
      expect((await podOf('deployment', 'dimmer-controller')).containers[0]).toMatchObject({
        image: `dimmer:${version}`,
      });
    });

    test('helm uninstall takes the rest, and leaves the definitions with every resource', async () => {
      await type(typed(documented('docs/operations.md', 'helm uninstall dimmer'))[0] ?? '');
      expect(await installed()).toEqual([]);
      const read = ['get', 'vmmem,hvh', '--all-namespaces', '-o', 'name'];
      expect((await lab.controlPlane.kubectlOk(read)).trim().split('\n')).toEqual([
        'virtualmachinememory.dimmer.dev/vm-1',
        'hypervisorhost.dimmer.dev/hv-1',
      ]);
    });

    test('a release takes over what kubectl has installed', async () => {
      await lab.controlPlane.kubectlOk(['apply', '-k', join(root, 'deploy')]);
      const before = await installed();
      expect(before.length).toBeGreaterThan(12);
      await type(typed(documented('docs/operations.md', '--take-ownership'))[0] ?? '');
      expect(await installed()).toEqual(before);
      expect(await type('helm list --all-namespaces --short')).toBe('dimmer\n');
    });
  },
  ['control-plane', 'machine', 'chart-tools', 'containers'],
);
