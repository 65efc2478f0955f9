/**
 * Argo CD's health checks in the layout of its own repository (`resource_customizations/GROUP/KIND`): the scripts are written
 * by hand, their tests over an object of each reason and the ConfigMap that brings them to an Argo CD are made here.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { reasonTable } from '../../src/api/v1alpha1/reasons.ts';
import { type Example, examples } from './objects.ts';

const root = join(import.meta.dirname, '../..');
const folder = 'deploy/gitops/argocd';
const kinds = ['HypervisorHost', 'VirtualMachineMemory'] as const;
type Kind = (typeof kinds)[number];
const directoryOf = (kind: Kind): string => `${folder}/resource_customizations/dimmer.dev/${kind}`;
const made = '# Made from scripts/gitops by `npm run docs`: what is changed here is lost.\n';

/** Argo CD's words for what the table of reasons says. */
function healthOf({ reason }: Example): string {
  if (reason === null) return 'Progressing';
  if (reason === 'AgentAnswers') return 'Healthy';
  const { ready, reconciling, stalled } = reasonTable[reason];
  if (reconciling) return 'Progressing';
  if (stalled) return 'Degraded';
  return ready === 'True' ? 'Healthy' : 'Suspended';
}

function messageOf({ object, reason }: Example): string {
  const { conditions = [] } = (object as { status: { conditions?: { type: string; message: string }[] } }).status;
  const ready = conditions.find(({ type }) => type === 'Ready');
  return reason === null ? "Waiting for Dimmer's controller" : `${reason}: ${ready?.message ?? ''}`;
}

const yaml = (value: object): string => `${made}${stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0 })}`;

const testsOf = (kind: Kind): object => ({
  tests: examples[kind].map((example) => ({
    healthStatus: { status: healthOf(example), message: messageOf(example) },
    inputPath: `testdata/${example.name}.yaml`,
  })),
});

const configMap = (): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'argocd-cm', namespace: 'argocd', labels: { 'app.kubernetes.io/part-of': 'argocd' } },
  data: Object.fromEntries(
    kinds.map((kind) => [
      `resource.customizations.health.dimmer.dev_${kind}`,
      readFileSync(join(root, directoryOf(kind), 'health.lua'), 'utf8'),
    ]),
  ),
});

/** Files by path below the repository's root; not formatted. */
export const computeArgoFiles = (): readonly (readonly [path: string, text: string])[] => [
  [`${folder}/argocd-cm.yaml`, yaml(configMap())],
  ...kinds.flatMap((kind): readonly (readonly [string, string])[] => [
    [`${directoryOf(kind)}/health_test.yaml`, yaml(testsOf(kind))],
    ...examples[kind].map(({ name, object }) => [`${directoryOf(kind)}/testdata/${name}.yaml`, yaml(object)] as const),
  ]),
];
