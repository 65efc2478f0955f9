/** The Helm chart, made from crds/ and deploy/: every file of deploy/helm/dimmer but what is written by hand there. */
import { Document } from 'yaml';
import { transform } from 'esbuild';
import { format } from 'prettier';
import { chartTests } from './chart-test.ts';
import { templateController } from './controller-template.ts';
import { crdFiles, documentsIn, oldestKubernetes, readRoot, release } from './manifests.ts';
import { labelled, type Template, templateOf, when } from './template.ts';
import { chartValues, computeValuesSchema, describeValues, writeValues } from './values.ts';

const namespace = '{{ $.Release.Namespace }}';
const made = (source: string): string => `{{- /* Made from ${source} by scripts/deploy.ts. */}}\n`;

/** A file of deploy/ as a template; `edit` is called for each of its documents, by its kind. */
function templateFile(file: string, edit: Readonly<Record<string, (template: Template) => void>> = {}): string {
  const texts = documentsIn(`deploy/${file}`).map((document) => {
    const template = templateOf(document);
    labelled(template, '$.Release.Name');
    if (document.hasIn(['metadata', 'namespace'])) template.fill(['metadata', 'namespace'], namespace);
    if (document.hasIn(['subjects', 0, 'namespace'])) template.fill(['subjects', 0, 'namespace'], namespace);
    edit[String(document.get('kind'))]?.(template);
    return template.toText();
  });
  return texts.map((text) => text.replace(/^---\n/, '')).join('---\n');
}

/** A definition as it is, but for its annotation and labels: Helm upgrades it as any object, and leaves it behind. */
function templateCrd(file: string): string {
  const text = readRoot(`crds/${file}`);
  if (text.includes('{{')) throw new Error(`crds/${file} holds {{, which Helm would take for its own`);
  const name = /^metadata:\n {2}name: .*\n/m;
  if (!name.test(text)) throw new Error(`crds/${file} doesn't begin its metadata with a name`);
  const kept = '  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n';
  const labels = '  labels:\n    {{- include "dimmer.labels" (list $ $.Release.Name) | nindent 4 }}\n';
  return (
    made(`crds/${file}`) +
    when(
      '.Values.crds.enabled',
      text.replace(name, (head) => head + kept + labels),
    )
  );
}

const annotations =
  '{{- with $.Values.serviceAccount.annotations }}\nannotations:\n  {{- toYaml . | nindent 4 }}\n{{- end }}';

function templates(): Readonly<Record<string, string>> {
  const priority = templateFile('05-priority-class.yaml', {
    PriorityClass: (template) => {
      template.fill(['metadata', 'name'], '{{ $.Values.priorityClass.name }}');
      template.fill(['value'], '{{ $.Values.priorityClass.value | int }}');
    },
  });
  const rbac = templateFile('10-controller-rbac.yaml', {
    ServiceAccount: (template) => template.append(['metadata'], annotations),
  });
  const shards = templateFile('shards/rbac.yaml', {
    Role: (template) =>
      template.replace(
        ['rules', 0, 'resourceNames'],
        'resourceNames:\n  {{- range .Values.shards }}\n  - dimmer-controller-{{ .name }}\n  {{- end }}',
      ),
  });
  const policy = templateFile('41-network-policy.yaml', {
    NetworkPolicy: (template) => {
      template.append(
        ['spec', 'ingress', 0],
        '{{- with $.Values.networkPolicy.metricsFrom }}\nfrom:\n  {{- toYaml . | nindent 8 }}\n{{- end }}',
      );
      template.replace(['spec', 'egress'], 'egress:\n  {{- toYaml $.Values.networkPolicy.egress | nindent 4 }}');
    },
  });
  const monitor = templateFile('monitoring/pod-monitor.yaml', {
    PodMonitor: (template) => {
      template.append(
        ['metadata', 'labels'],
        '{{- with $.Values.podMonitor.labels }}\n{{- toYaml . | nindent 4 }}\n{{- end }}',
      );
      template.fill(['spec', 'podMetricsEndpoints', 0, 'interval'], '{{ $.Values.podMonitor.interval }}');
    },
  });
  return {
    'pod-monitor.yaml': made('deploy/monitoring/pod-monitor.yaml') + when('.Values.podMonitor.enabled', monitor),
    'priority-class.yaml':
      made('deploy/05-priority-class.yaml') +
      when('and .Values.priorityClass.create .Values.priorityClass.name', priority),
    'controller-rbac.yaml': made('deploy/10-controller-rbac.yaml') + rbac,
    'shards-rbac.yaml': made('deploy/shards/rbac.yaml') + when('.Values.shards', shards),
    'user-roles.yaml':
      made('deploy/20-user-roles.yaml') + when('.Values.userRoles.create', templateFile('20-user-roles.yaml')),
    'admission.yaml':
      made('deploy/30-admission.yaml') + when('.Values.admission.enabled', templateFile('30-admission.yaml')),
    'controller-fence.yaml': made('deploy/31-controller-fence.yaml') + templateFile('31-controller-fence.yaml'),
    'controller.yaml': made('deploy/40-controller.yaml') + templateController(),
    'network-policy.yaml': made('deploy/41-network-policy.yaml') + when('.Values.networkPolicy.enabled', policy),
    ...Object.fromEntries(crdFiles.map((file) => [`crd-${file.replace('dimmer.dev_', '')}`, templateCrd(file)])),
    'tests/leader.yaml': made('scripts/packaging/chart-test.ts') + chartTests(),
  };
}

function writeChartFile(): string {
  const document = new Document({
    apiVersion: 'v2',
    name: 'dimmer',
    description: release.description,
    type: 'application',
    version: release.version,
    appVersion: release.version,
    kubeVersion: `>=${oldestKubernetes}-0`,
    keywords: ['libvirt', 'qemu', 'virtual machines', 'memory hotplug'],
    annotations: { 'artifacthub.io/license': release.license },
  });
  document.commentBefore = ' Made by scripts/deploy.ts.';
  return document.toString({ lineWidth: 0 });
}

/** What `helm test` runs, as Node reads it. */
async function writeTestProgram(): Promise<string> {
  const source = 'scripts/packaging/leader.ts';
  const { code } = await transform(readRoot(source), { loader: 'ts', target: 'node24', format: 'esm' });
  const program = `// Made from ${source} by scripts/deploy.ts.\n${code}`;
  return format(program, { parser: 'babel', printWidth: 120, singleQuote: true });
}

/** The chart's files, by their path from the root of the repository. */
export async function computeChart(): Promise<ReadonlyMap<string, string>> {
  const values = chartValues();
  const readme = readRoot('scripts/packaging/chart-readme.md').replace('{values}', describeValues(values));
  const files: Readonly<Record<string, string>> = {
    'Chart.yaml': await format(writeChartFile(), { parser: 'yaml', printWidth: 120, singleQuote: true }),
    'values.yaml': await format(writeValues(values), { parser: 'yaml', printWidth: 120, singleQuote: true }),
    'values.schema.json': await format(JSON.stringify(computeValuesSchema(values)), {
      parser: 'json',
      printWidth: 120,
    }),
    'files/leader.mjs': await writeTestProgram(),
    'README.md': await format(readme, { parser: 'markdown', printWidth: 120 }),
    ...Object.fromEntries(Object.entries(templates()).map(([name, text]) => [`templates/${name}`, text])),
  };
  return new Map(Object.entries(files).map(([name, text]) => [`deploy/helm/dimmer/${name}`, text]));
}
