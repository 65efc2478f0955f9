/**
 * What the programs tell Prometheus, all of them at once: controller, agent on libvirt, standalone, and kube-state-metrics
 * with our configuration. What alerts and dashboards ask for is there, and promtool has nothing to say of it.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import { type Daemon, startDaemon } from '../lab/daemon.ts';
import { startLab } from '../lab/lab.ts';
import { STACK_PARTS } from '../lab/needs.ts';
import { freePorts } from '../lab/ports.ts';
import { run } from '../lab/run.ts';
import { namespace, root, type Stack, type StackProcess, startProcess, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';
import { findForeignDefinitions } from '../lab/foreign-definitions.ts';
import { watchTools } from '../lab/watch-tools.ts';
import { askApi } from '../integration/agent/api-client.ts';
import { documented } from '../support/documents.ts';
import { monitoringDirectory, readExpressions } from '../support/monitoring.ts';
import { exposedBy, missingIn } from '../support/promql.ts';

await describeLab(
  'watching',
  () => {
    const tools = watchTools.find() ?? { promtool: '', kubeStateMetrics: '' };
    let stack: Stack;
    let standalone: StackProcess;
    let kubeStateMetrics: Daemon;
    /** Where the last two serve metrics. */
    let ports: readonly number[];

    const scrape = async (url: string): Promise<string> => {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      if (!response.ok) throw new Error(`${url} answers ${response.status}`);
      return response.text();
    };
    const ofController = (): Promise<string> => scrape(stack.metricsUrl);
    const ofStandalone = (): Promise<string> => scrape(`http://127.0.0.1:${ports[0]}/metrics`);
    const ofKubeStateMetrics = (): Promise<string> => scrape(`http://127.0.0.1:${ports[1]}/metrics`);
    async function ofAgent(): Promise<string> {
      const { certFile, keyFile, caFile } = stack.controllerTls;
      const [ca, cert, key] = [caFile, certFile, keyFile].map((file) => readFileSync(file, 'utf8')) as [
        string,
        string,
        string,
      ];
      return (await askApi(Number(new URL(stack.agentUrl).port), { ca, cert, key }, '/metrics')).body;
    }
    /** Somebody who speaks no TLS: refused, and counted. */
    async function knockAtAgent(): Promise<void> {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(stack.agentUrl).port) });
      socket.on('error', () => undefined);
      socket.end('GET / HTTP/1.0\r\n\r\n');
      await once(socket, 'close');
    }

    beforeAll(async () => {
      const lab = await startLab({ controlPlane: 'shared', guests: [{ kind: 'accepting', name: 'db-1' }] });
      const { kubectlOk, directory } = lab.controlPlane;
      const controllerFlags = ['--leader-elect', '--leader-elect-resource-namespace=dimmer-system'];
      [stack, ports] = await Promise.all([startStack(lab, { controllerFlags }), freePorts(3)]);
      const manifests = join(directory, 'vms');
      mkdirSync(manifests);
      await kubectlOk(['create', 'serviceaccount', 'kube-state-metrics', '--namespace=kube-system']);
      await kubectlOk(['apply', '-f', join(monitoringDirectory, 'kube-state-metrics-rbac.yaml')]);
      const kubeconfig = await lab.controlPlane.createKubeconfigForServiceAccount('kube-system', 'kube-state-metrics');
      kubeStateMetrics = await startDaemon({
        name: 'kube-state-metrics',
        command: tools.kubeStateMetrics,
        args: [
          ...[`--kubeconfig=${kubeconfig}`, '--host=127.0.0.1', `--port=${ports[1]}`],
          ...['--telemetry-host=127.0.0.1', `--telemetry-port=${ports[2]}`, '--custom-resource-state-only'],
          `--custom-resource-state-config-file=${join(monitoringDirectory, 'kube-state-metrics.yaml')}`,
        ],
        logFile: join(directory, 'kube-state-metrics.log'),
      });
      const startedStandalone = startProcess(
        'standalone',
        [
          ...['standalone', `--manifests=${manifests}`, `--state-dir=${join(directory, 'state')}`],
          ...['--driver=simulated', `--metrics-bind-address=127.0.0.1:${ports[0]}`],
        ],
        directory,
        async () => (await ofStandalone()) !== '',
      );
      await stack.apply(stack.manifest('db-1', lab.guest('accepting').uuid, { memory: '768Mi', growPolicy: 'Whole' }));
      await stack.reaches('db-1', 'Converged');
      // Far away: only its metrics are asked for.
      await kubectlOk(['patch', 'hvh', 'hv-1', '--type=merge', '-p', '{"spec":{"namespaceLimit":"64Ti"}}']);
      await knockAtAgent();
      standalone = await startedStandalone;
    });
    afterAll(async () => {
      await standalone.stop();
      await kubeStateMetrics.stop();
      await stack.stop();
    });

    it('promtool has nothing to say of what controller, agent and standalone tell', async () => {
      const texts = { controller: await ofController(), agent: await ofAgent(), standalone: await ofStandalone() };
      for (const [component, text] of Object.entries(texts)) {
        expect(text).toMatch(new RegExp(`^dimmer_build_info\\{component="${component}",version="[^"]+"\\} 1$`, 'm'));
        const { code, stdout, stderr } = await run(tools.promtool, ['check', 'metrics'], { input: text });
        expect([component, code, stdout + stderr]).toEqual([component, 0, '']);
      }
    });

    it('kube-state-metrics tells the VM by its own rights and our configuration', async () => {
      const labels = `customresource_group="dimmer.dev",customresource_kind="VirtualMachineMemory",customresource_version="v1alpha1"`;
      const wanted = [
        [`dimmer_vm_info{${labels},host="hv-1",name="db-1",namespace="${namespace}",state="Running",uuid="`, / 1$/],
        [`dimmer_vm_condition{${labels},name="db-1",namespace="${namespace}",reason="Converged",type="Ready"}`, / 1$/],
        [`dimmer_vm_memory_wanted_bytes{${labels},name="db-1",namespace="${namespace}"}`, / 8\.05306368e\+08$/],
        [`dimmer_vm_memory_current_bytes{${labels},name="db-1",namespace="${namespace}"}`, / 8\.05306368e\+08$/],
      ] as const;
      let text = '';
      await waitFor(
        async () => {
          text = await ofKubeStateMetrics();
          const lines = text.split('\n');
          return wanted.every(([start, end]) => lines.some((line) => line.startsWith(start) && end.test(line)));
        },
        {
          ...{ what: 'kube-state-metrics to tell it', timeoutMs: 60_000, intervalMs: 250 },
          details: () => `${text}\n${kubeStateMetrics.logTail()}`,
        },
      );
      const { code, stdout, stderr } = await run(tools.promtool, ['check', 'metrics'], { input: text });
      expect([code, stdout + stderr]).toEqual([0, '']);
    });

    it('the API server takes what the guide installs, by the definitions of the Prometheus operator and of Flux', async () => {
      const { kubectl, kubectlOk } = stack.lab.controlPlane;
      const definitions = findForeignDefinitions() ?? '';
      await kubectlOk(['apply', '--server-side', '-f', definitions]);
      // A definition that has no conditions at all yet is an error to `kubectl wait`.
      let waited = '';
      await waitFor(
        async () => {
          const result = await kubectl(['wait', '--for=condition=Established', '--timeout=20s', 'crd', '--all']);
          waited = result.stderr;
          return result.code === 0;
        },
        { what: 'the definitions to be established', timeoutMs: 60_000, intervalMs: 500, details: () => waited },
      );
      const argumentsIn = ({ text }: { readonly text: string }): readonly string[] => {
        expect(text.startsWith('$ kubectl ')).toBe(true);
        return text
          .replaceAll(/ (deploy\/)/g, ` ${root}/$1`)
          .split(' ')
          .slice(2);
      };
      const installed = await kubectl(
        argumentsIn(documented('docs/operations.md', 'kubectl apply -k deploy/monitoring/')),
      );
      expect(installed).toMatchObject({ code: 0, stderr: '' });
      expect(installed.stdout.match(/^\S+(?= created)/gm)).toEqual([
        'configmap/dimmer-dashboards',
        'podmonitor.monitoring.coreos.com/dimmer-controller',
        'prometheusrule.monitoring.coreos.com/dimmer',
      ]);
      await kubectlOk(['create', 'namespace', 'flux-system']);
      for (const file of ['monitoring/scrape-config.yaml', 'gitops/flux/dimmer.yaml', 'gitops/flux/namespace.yaml']) {
        // Strictly: a field that the definition does not have is an error.
        const strictly = ['apply', '--dry-run=server', '--validate=strict', '-f', join(root, 'deploy', file)];
        const taken = await kubectl(strictly);
        expect({
          file,
          code: taken.code,
          stderr: taken.stderr.replaceAll(/^Warning: .*last-applied.*\n/gm, ''),
        }).toEqual({
          ...{ file, code: 0, stderr: '' },
        });
      }

      await kubectlOk(['create', 'namespace', 'argocd']);
      await kubectlOk([
        'create',
        'configmap',
        'argocd-cm',
        '-n',
        'argocd',
        '--from-literal=url=https://argocd.example.net',
      ]);
      await kubectlOk(argumentsIn(documented('docs/operations.md', 'kubectl patch configmap argocd-cm')));
      const { data } = JSON.parse(await kubectlOk(['get', 'configmap', 'argocd-cm', '-n', 'argocd', '-o', 'json'])) as {
        data: Record<string, string>;
      };
      expect(Object.keys(data).toSorted()).toEqual([
        'resource.customizations.health.dimmer.dev_HypervisorHost',
        'resource.customizations.health.dimmer.dev_VirtualMachineMemory',
        'url',
      ]);
    });

    it('every metric and every label that an alert or a dashboard names is told by one of them', async () => {
      // Before its module is gone.
      const withModule = await ofKubeStateMetrics();
      // A guest is asked when it is to give something up, and somebody waits for a VM that is nowhere.
      const { status } = await stack.read('db-1');
      const { uuid } = stack.lab.guest('accepting');
      await stack.apply(stack.manifest('db-1', uuid, { memory: status?.memory?.boot, growPolicy: 'Whole' }));
      await stack.apply(stack.manifest('nowhere', '00000000-0000-4000-8000-000000000000', { memory: '1Gi' }));
      await stack.reaches('nowhere', 'VMNotFoundOrNotAllowed');
      await stack.reaches('db-1', 'Converged');
      const texts = await Promise.all([ofController(), ofAgent(), ofStandalone(), ofKubeStateMetrics()]);
      const exposed = exposedBy(withModule, ...texts);
      const expressions = readExpressions();
      expect(expressions.length).toBeGreaterThan(100);
      const missing = expressions.flatMap(({ where, expr, shown }) =>
        missingIn(exposed, expr, shown).map((what) => `${where}: ${what}`),
      );
      expect([...new Set(missing)]).toEqual([]);
    });
  },
  [...STACK_PARTS, 'watch-tools'],
);
