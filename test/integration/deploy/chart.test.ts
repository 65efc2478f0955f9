/** The chart and the bundle as the real helm, the real kustomize and OLM's own library see them. No API server is needed. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chartTools } from '../../lab/chart-tools.ts';
import { findControlPlane } from '../../lab/control-plane-binaries.ts';
import { describeLab } from '../../lab/describe.ts';
import { type CommandResult, run, runOk } from '../../lab/run.ts';
import { type KubernetesObject, objectsIn, withoutHelm } from '../../support/deploy-objects.ts';

const root = join(import.meta.dirname, '../../..');
const chart = join(root, 'deploy/helm/dimmer');
const releaseName = 'dimmer';

await describeLab(
  'the chart',
  () => {
    let directory: string;
    let kubectl: string;
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'dimmer-chart-'));
      kubectl = (await findControlPlane())?.kubectl ?? '';
    });
    afterAll(() => rmSync(directory, { recursive: true }));

    const helm = (...args: readonly string[]): Promise<CommandResult> => {
      const home = (name: string) => join(directory, name);
      const env = { HELM_CACHE_HOME: home('cache'), HELM_CONFIG_HOME: home('config'), HELM_DATA_HOME: home('data') };
      return run(chartTools.find()?.helm ?? '', args, { env: { ...env, KUBECONFIG: '/dev/null' } });
    };
    const template = async (values: object = {}, ...args: readonly string[]): Promise<string> => {
      const file = join(directory, 'values.json');
      writeFileSync(file, JSON.stringify(values));
      const rendered = ['template', releaseName, chart, '--namespace', 'dimmer-system', '--values', file];
      const { code, stdout, stderr } = await helm(...rendered, ...args);
      if (code !== 0) throw new Error(stderr);
      return stdout;
    };
    /** What is installed, but for what only `helm test` makes. */
    const installed = async (values: object = {}) =>
      Object.fromEntries(
        Object.entries(objectsIn(await template(values, '--skip-tests'))).map(([name, object]) => [
          name,
          withoutHelm(object, releaseName),
        ]),
      );
    const kustomize = async (folder: string) => objectsIn(await runOk(kubectl, ['kustomize', join(root, folder)]));
    /** Of the namespace a release is in, Helm says nothing. */
    const without = (objects: Readonly<Record<string, KubernetesObject>>, ...names: readonly string[]) =>
      Object.fromEntries(Object.entries(objects).filter(([name]) => !names.includes(name)));

    test('has nothing that helm lint warns of', async () => {
      const { code, stdout, stderr } = await helm('lint', '--strict', chart);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toContain('1 chart(s) linted, 0 chart(s) failed');
      expect(stdout).not.toMatch(/\[(WARNING|ERROR)\]/);
    });

    test('makes with nothing set what kubectl apply -k deploy/ makes, object by object', async () => {
      const objects = await kustomize('deploy');
      expect(Object.keys(objects).length).toBeGreaterThan(15);
      expect(await installed()).toEqual(without(objects, 'Namespace/dimmer-system'));
    });

    test('makes of shards what kubectl apply -k deploy/shards/ makes beside it', async () => {
      const shards = ['a', 'b'].map((name) => ({ name, selector: `dimmer.dev/zone=${name}` }));
      const own = ['Deployment/dimmer-controller', 'PodDisruptionBudget/dimmer-controller', 'Namespace/dimmer-system'];
      const objects = { ...without(await kustomize('deploy'), ...own), ...(await kustomize('deploy/shards')) };
      expect(await installed({ shards })).toEqual(objects);
    });

    test('puts every value where it belongs', async () => {
      const peers = [{ namespaceSelector: { matchLabels: { team: 'watch' } } }];
      const egress = [{ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }], ports: [{ port: 9443 }] }];
      const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
      const affinity = { nodeAffinity: {} };
      const spread = [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }];
      const objects = await installed({
        image: { repository: 'registry.example.net/dimmer', digest, pullPolicy: 'Always' },
        imagePullSecrets: [{ name: 'pull' }],
        agentClient: { secretName: 'client' },
        replicas: 3,
        extraArgs: ['--log-level=debug', '{{ no template }}'],
        extraEnv: [{ name: 'TZ', value: 'UTC' }],
        resources: { limits: { memory: '2Gi' } },
        podAnnotations: { note: 'one' },
        podLabels: { team: 'vms' },
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ key: 'infra', operator: 'Exists' }],
        affinity,
        topologySpreadConstraints: spread,
        serviceAccount: { annotations: { role: 'x' } },
        priorityClass: { name: 'important', value: 7 },
        podDisruptionBudget: { minAvailable: '50%' },
        networkPolicy: { metricsFrom: peers, egress },
      });
      expect(objects['Deployment/dimmer-controller']).toMatchObject({
        spec: {
          replicas: 3,
          template: {
            metadata: { annotations: { note: 'one' }, labels: { team: 'vms' } },
            spec: {
              ...{ imagePullSecrets: [{ name: 'pull' }], nodeSelector: { disk: 'ssd' }, affinity },
              ...{ priorityClassName: 'important', topologySpreadConstraints: spread },
              tolerations: [{ key: 'infra', operator: 'Exists' }],
              volumes: [{ secret: { secretName: 'client' } }],
              containers: [
                {
                  ...{ image: `registry.example.net/dimmer@${digest}`, imagePullPolicy: 'Always' },
                  args: expect.arrayContaining(['--log-level=debug', '{{ no template }}']) as unknown,
                  env: expect.arrayContaining([{ name: 'TZ', value: 'UTC' }]) as unknown,
                  resources: { limits: { memory: '2Gi' } },
                },
              ],
            },
          },
        },
      });
      expect(objects['ServiceAccount/dimmer-controller']?.metadata.annotations).toEqual({ role: 'x' });
      expect(objects['PriorityClass/important']).toMatchObject({ value: 7 });
      expect(objects['PodDisruptionBudget/dimmer-controller']).toMatchObject({ spec: { minAvailable: '50%' } });
      expect(objects['NetworkPolicy/dimmer-controller']).toMatchObject({
        spec: { ingress: [{ ports: [{ port: 'metrics' }], from: peers }], egress },
      });
      const tag = await installed({ image: { tag: 'v9' } });
      expect(JSON.stringify(tag['Deployment/dimmer-controller'])).toContain('"dimmer:v9"');
    });

    test('has the PodMonitor of deploy/monitoring/ where the Prometheus operator is', async () => {
      const name = 'PodMonitor/dimmer-controller';
      expect(Object.keys(await installed())).not.toContain(name);
      const { [name]: own } = objectsIn(readFileSync(join(root, 'deploy/monitoring/pod-monitor.yaml'), 'utf8'));
      expect((await installed({ podMonitor: { enabled: true } }))[name]).toEqual(own);
      const named = await installed({ podMonitor: { enabled: true, labels: { release: 'prom' }, interval: '5s' } });
      expect(named[name]).toMatchObject({
        metadata: { labels: { release: 'prom' } },
        spec: { podMetricsEndpoints: [{ interval: '5s' }] },
      });
    });

    test('leaves out what is switched off, and nothing else', async () => {
      const off = { enabled: false };
      const objects = await installed({
        ...{ admission: off, networkPolicy: off, podDisruptionBudget: off, crds: off, userRoles: { create: false } },
        priorityClass: { create: false, name: '' },
      });
      expect(Object.keys(objects).sort()).toEqual([
        'ClusterRole/dimmer-controller',
        'ClusterRoleBinding/dimmer-controller',
        'Deployment/dimmer-controller',
        'Role/dimmer-controller',
        'RoleBinding/dimmer-controller',
        'ServiceAccount/dimmer-controller',
        'ValidatingAdmissionPolicy/dimmer-controller-fence',
        'ValidatingAdmissionPolicyBinding/dimmer-controller-fence',
      ]);
      expect(JSON.stringify(objects)).not.toContain('priorityClassName');
    });

    test('leaves its definitions behind, unless it is told not to', async () => {
      const policies = async (values: object): Promise<readonly unknown[]> =>
        Object.values(objectsIn(await template(values)))
          .filter(({ kind }) => kind === 'CustomResourceDefinition')
          .map(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy']);
      expect(await policies({})).toEqual(['keep', 'keep']);
      expect(await policies({ crds: { keep: false } })).toEqual([undefined, undefined]);
    });

    test.each([
      [{ replicaCount: 3 }, /replicaCount/],
      [{ image: { tags: 'x' } }, /tags/],
      [{ image: { digest: 'latest' } }, /digest/],
      [{ shards: [{ name: 'a' }] }, /selector/],
    ])('refuses %j before anything is installed', async (values, said) => {
      await expect(template(values)).rejects.toThrow(said);
    });

    test('names its version where an image must be had', async () => {
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
      const text = await template();
      expect([...text.matchAll(/^ +image: (\S+)$/gm)].map(([, image]) => image)).toEqual([
        ...[`dimmer:${version}`, `dimmer:${version}`],
      ]);
    });
  },
  ['control-plane', 'chart-tools'],
);

await describeLab(
  'the bundle for OLM',
  () => {
    /** What is said of any bundle like this one, and why it says nothing of it. */
    const reasons: readonly RegExp[] = [
      // It takes the right to record events for the use of events.k8s.io/v1beta1; RBAC names no version, and v1 is what is used.
      /APIs which were deprecated and removed in v1\.25\..* for events: \(\["ClusterServiceVersion\.Spec\.InstallStrategy\.StrategySpec\.ClusterPermissions\[0\]\.Rules\[4\]"\]\)/,
      // Of the checks themselves: what is to replace them can't be asked for at the command line.
      /The "operatorhub" validator is deprecated/,
    ];
    /** What is found, without what has a reason. */
    const verify = async (folder: string): Promise<readonly string[]> => {
      const options = ['--operatorhub_validate', '--object_validate'];
      const { stdout, stderr } = await run(chartTools.find()?.operatorVerify ?? '', ['manifests', ...options, folder]);
      const said = (stdout + stderr)
        .replaceAll('\\"', '"')
        .split('\n')
        .filter((line) => line !== '');
      for (const reason of reasons) expect(said.filter((line) => reason.test(line))).toHaveLength(1);
      return said.filter((line) => !reasons.some((reason) => reason.test(line)));
    };

    test("is what OLM's own library accepts, without a warning", async () => {
      expect(await verify(join(root, 'deploy/olm'))).toEqual([]);
    });

    test('and which it would not, were a definition missing', async () => {
      const copy = mkdtempSync(join(tmpdir(), 'dimmer-bundle-'));
      try {
        cpSync(join(root, 'deploy/olm'), copy, { recursive: true });
        rmSync(join(copy, 'manifests/dimmer.dev_hypervisorhosts.yaml'));
        expect((await verify(copy)).join('\n')).toMatch(/owned CRD .*HypervisorHost.* not found in bundle/);
      } finally {
        rmSync(copy, { recursive: true });
      }
    });
  },
  ['chart-tools'],
);
