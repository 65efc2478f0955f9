/**
 * What `helm test` starts: a pod with the controller's image, rights and confinement, which looks whether one leads. Who leads has
 * found its Secret and the definitions, and reaches the API server. No port must be open for it, and nothing else installed.
 */
import { parseDocument, stringify } from 'yaml';
import { deployed, type Manifest } from './manifests.ts';
import { templateOf } from './template.ts';

type Deployment = Manifest & {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly serviceAccountName: string;
        readonly securityContext: object;
        readonly containers: readonly { readonly securityContext: object }[];
      };
    };
  };
};

export function chartTests(): string {
  const { serviceAccountName, securityContext, containers } = (deployed('Deployment') as Deployment).spec.template.spec;
  const pod = parseDocument(
    stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        ...{ name: '', namespace: '', labels: { 'app.kubernetes.io/name': 'dimmer-test' } },
        annotations: { 'helm.sh/hook': 'test', 'helm.sh/hook-delete-policy': 'before-hook-creation' },
      },
      spec: {
        ...{ serviceAccountName, restartPolicy: 'Never', securityContext },
        containers: [
          {
            ...{ name: 'leader', image: '', imagePullPolicy: '', command: ['node'] },
            args: ['--input-type=module', '--eval', ''],
            env: [
              { name: 'NAMESPACE', value: '' },
              { name: 'LEASE', value: '' },
              { name: 'NODE_EXTRA_CA_CERTS', value: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' },
            ],
            resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '192Mi' } },
            securityContext: containers[0]?.securityContext,
          },
        ],
      },
    }),
  );
  const template = templateOf(pod);
  const container = ['spec', 'containers', 0] as const;
  template.fill(['metadata', 'name'], '{{ $name }}-test');
  template.fill(['metadata', 'namespace'], '{{ $.Release.Namespace }}');
  template.append(['metadata', 'labels'], '{{- include "dimmer.labels" (list $ $.Release.Name) | nindent 4 }}');
  template.fill([...container, 'image'], '{{ include "dimmer.image" $ }}');
  template.fill([...container, 'imagePullPolicy'], '{{ $.Values.image.pullPolicy }}');
  template.fill([...container, 'args', 2], '{{ $.Files.Get "files/leader.mjs" | toJson }}');
  template.fill([...container, 'env', 0, 'value'], '{{ $.Release.Namespace }}');
  template.fill([...container, 'env', 1, 'value'], '{{ $name }}');
  const places = ['imagePullSecrets', 'nodeSelector', 'tolerations'];
  template.insertBefore(
    ['spec', 'securityContext'],
    places
      .map((place) => `{{- with $.Values.${place} }}\n${place}:\n  {{- toYaml . | nindent 4 }}\n{{- end }}`)
      .join('\n'),
  );
  return [
    '{{- range $shard := .Values.shards | default (list (dict "name" "")) }}',
    '{{- $name := printf "dimmer-controller%s" (ternary (printf "-%s" $shard.name) "" (ne $shard.name "")) }}',
    '---',
    template.toText().trimEnd(),
    '{{- end }}',
    '',
  ].join('\n');
}
