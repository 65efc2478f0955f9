/** The template of the controller's Deployment and its PodDisruptionBudget: once, or once for each shard. */
import { documentsIn } from './manifests.ts';
import { labelled, type Template, templateOf, when } from './template.ts';

/** Around both: what a shard is called, and what its instance. A controller without shards is one without a name. */
const head = `{{- range $shard := .Values.shards | default (list (dict "name" "")) }}
{{- $name := "dimmer-controller" }}
{{- $instance := $.Release.Name }}
{{- if $shard.name }}
{{- $name = printf "dimmer-controller-%s" $shard.name }}
{{- $instance = printf "shard-%s" $shard.name }}
{{- end }}
---
`;

/** By this the pods of one shard are told from those of another. */
const ofShard = '{{- if $shard.name }}\napp.kubernetes.io/instance: {{ $instance }}\n{{- end }}';

const withValue = (value: string, key: string, indent: number): string =>
  `{{- with $.Values.${value} }}\n${key}:\n  {{- toYaml . | nindent ${indent} }}\n{{- end }}`;

export function templateController(): string {
  const [deployment, budget, ...others] = documentsIn('deploy/40-controller.yaml');
  if (deployment === undefined || budget === undefined || others.length > 0) {
    throw new Error('deploy/40-controller.yaml holds a Deployment and its budget, and nothing else');
  }
  // An anchor would hold the labels of the pods together with those of the Deployment, which has more.
  const labels = (deployment.toJS() as { spec: { template: { metadata: { labels: object } } } }).spec.template.metadata
    .labels;
  for (const path of [
    ['metadata', 'labels'],
    ['spec', 'template', 'metadata', 'labels'],
  ]) {
    deployment.setIn(path, deployment.createNode(labels));
  }
  const [controller, protection] = [templateOf(deployment), templateOf(budget)];
  for (const template of [controller, protection]) {
    template.fill(['metadata', 'name'], '{{ $name }}');
    template.fill(['metadata', 'namespace'], '{{ $.Release.Namespace }}');
    template.append(['spec', 'selector', 'matchLabels'], ofShard);
    labelled(template, '$instance');
  }
  editPods(controller);
  protection.fill(['spec', 'minAvailable'], '{{ $.Values.podDisruptionBudget.minAvailable }}');
  const protectionText = `---\n${protection.toText().replace(/^---\n/, '')}`;
  const texts = [controller.toText(), when('$.Values.podDisruptionBudget.enabled', protectionText)];
  return `${head}${texts.join('')}{{- end }}\n`;
}

/** What of the Deployment can be another way. */
function editPods(template: Template): void {
  const pods = ['spec', 'template', 'spec'] as const;
  const container = [...pods, 'containers', 0] as const;
  template.fill(['spec', 'replicas'], '{{ $.Values.replicas }}');
  const podLabels = ['spec', 'template', 'metadata', 'labels'] as const;
  template.append(podLabels, ofShard);
  template.append(podLabels, '{{- with $.Values.podLabels }}\n{{- toYaml . | nindent 8 }}\n{{- end }}');
  template.append(['spec', 'template', 'metadata'], withValue('podAnnotations', 'annotations', 8));

  template.replace(
    [...pods, 'priorityClassName'],
    '{{- with $.Values.priorityClass.name }}\npriorityClassName: {{ . }}\n{{- end }}',
  );
  const affinity = [...pods, 'affinity'] as const;
  const preferred = [...affinity, 'podAntiAffinity', 'preferredDuringSchedulingIgnoredDuringExecution', 0] as const;
  template.append([...preferred, 'podAffinityTerm', 'labelSelector', 'matchLabels'], ofShard);
  template.wrap(
    affinity,
    '{{- if $.Values.affinity }}\naffinity:\n  {{- toYaml $.Values.affinity | nindent 8 }}\n{{- else }}',
    '{{- end }}',
  );
  const places = ['imagePullSecrets', 'nodeSelector', 'tolerations', 'topologySpreadConstraints'];
  template.insertBefore([...pods, 'securityContext'], places.map((place) => withValue(place, place, 8)).join('\n'));

  template.fill([...container, 'image'], '{{ include "dimmer.image" $ }}');
  template.fill([...container, 'imagePullPolicy'], '{{ $.Values.image.pullPolicy }}');
  template.append(
    [...container, 'args'],
    [
      '{{- if $shard.name }}',
      '- {{ printf "--shard-selector=%s" $shard.selector | quote }}',
      '- --leader-elect-resource-name={{ $name }}',
      '{{- end }}',
      '{{- range $.Values.extraArgs }}',
      '- {{ . | quote }}',
      '{{- end }}',
    ].join('\n'),
  );
  template.append([...container, 'env'], '{{- with $.Values.extraEnv }}\n{{- toYaml . | nindent 12 }}\n{{- end }}');
  template.replace([...container, 'resources'], 'resources:\n  {{- toYaml $.Values.resources | nindent 12 }}');
  template.fill([...pods, 'volumes', 0, 'secret', 'secretName'], '{{ $.Values.agentClient.secretName }}');
}
