/** What Flux makes of our objects: by kstatus, and by the expressions of deploy/gitops/flux. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { celEnv, parse as parseCel, plan } from '@bufbuild/cel';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { examples } from '../../../scripts/gitops/objects.ts';
import { reasonTable } from '../../../src/api/v1alpha1/reasons.ts';
import { computeKStatus, type KStatus } from '../../support/kstatus.ts';

const root = join(import.meta.dirname, '../../..');

type Checks = { readonly apiVersion: string; readonly kind: string; readonly failed: string; readonly current: string };
type Kustomization = {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly dependsOn?: readonly { readonly name: string }[];
    readonly healthChecks?: readonly { readonly apiVersion: string; readonly kind: string }[];
    readonly healthCheckExprs?: readonly Checks[];
  };
};
const kustomizations = parseAllDocuments(readFileSync(join(root, 'deploy/gitops/flux/dimmer.yaml'), 'utf8')).map(
  (document) => document.toJS() as Kustomization,
);

type Seen = {
  readonly metadata: { readonly generation: number };
  readonly status: { readonly observedGeneration: number };
};

/** As Flux' StatusEvaluator judges (fluxcd/pkg/runtime, cel/status_evaluator.go). */
function judgeByFlux({ failed, current }: Checks, object: object): KStatus {
  const seen = object as Seen;
  if (seen.status.observedGeneration !== seen.metadata.generation) return 'InProgress';
  const holds = (expression: string): boolean => {
    const result = plan(celEnv(), parseCel(expression))(seen);
    if (typeof result !== 'boolean') throw new Error(`${expression} gives no truth: ${JSON.stringify(result)}`);
    return result;
  };
  if (holds(failed)) return 'Failed';
  return holds(current) ? 'Current' : 'InProgress';
}

describe('Flux', () => {
  it('goes from the controller to the hosts to the VMs', () => {
    const order = kustomizations.map(({ metadata: { name }, spec }) => [name, spec.dependsOn?.map((one) => one.name)]);
    expect(order).toEqual([
      ['dimmer', undefined],
      ['dimmer-hosts', ['dimmer']],
      ['dimmer-vms', ['dimmer-hosts']],
    ]);
    const checked = kustomizations.flatMap(({ spec }) => [
      ...(spec.healthChecks ?? []),
      ...(spec.healthCheckExprs ?? []),
    ]);
    expect(checked.map(({ apiVersion, kind }) => [apiVersion, kind])).toEqual([
      ['dimmer.dev/v1alpha1', 'HypervisorHost'],
      ['dimmer.dev/v1alpha1', 'VirtualMachineMemory'],
    ]);
  });

  it.each(examples.VirtualMachineMemory)('takes $name by the expressions as by kstatus, but for Paused', (example) => {
    const { object, reason } = example;
    const [checks] = kustomizations.flatMap(({ spec }) => spec.healthCheckExprs ?? []);
    if (checks === undefined) throw new Error('there are no expressions');
    const byKstatus = computeKStatus(object);
    expect(judgeByFlux(checks, object)).toBe(reason === 'Paused' ? 'Current' : byKstatus);
    const row = reason === null || reason === 'AgentAnswers' ? null : reasonTable[reason];
    expect(byKstatus).toBe(
      row === null ? 'InProgress' : row.stalled ? 'Failed' : row.ready === 'True' ? 'Current' : 'InProgress',
    );
  });
});
