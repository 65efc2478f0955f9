/** Who else writes a size. */
import { expect, test } from 'vitest';
import { findOtherWriters } from '../../../src/view/ownership.ts';

const managed = (manager: string, more: object = {}) => ({
  ...{ manager, operation: 'Update', apiVersion: 'dimmer.dev/v1alpha1', fieldsType: 'FieldsV1' },
  fieldsV1: { 'f:spec': { 'f:memory': {} } },
  ...more,
});
const what = (metadata: object) => findOtherWriters({ metadata }).map((writer) => writer.what);

test.each([
  ['nobody', {}, []],
  [
    'people and our own tools',
    {
      managedFields: ['kubectl', 'kubectl-client-side-apply', 'kubectl-edit', 'kubectl-dimmer'].map((name) =>
        managed(name),
      ),
    },
    [],
  ],
  [
    'a tool',
    { managedFields: [managed('argocd-controller'), managed('argocd-controller')] },
    ['argocd-controller writes its size'],
  ],
  ['a name that only begins so', { managedFields: [managed('kubectlish')] }, ['kubectlish writes its size']],
  [
    'one that writes something else',
    { managedFields: [managed('helm', { fieldsV1: { 'f:spec': { 'f:paused': {} } } })] },
    [],
  ],
  ['a status', { managedFields: [managed('operator', { subresource: 'status' })] }, []],
  [
    'Argo CD',
    { annotations: { 'argocd.argoproj.io/tracking-id': 'app:x' } },
    ['Argo CD manages it (argocd.argoproj.io/tracking-id: app:x)'],
  ],
  [
    'Flux',
    { labels: { 'kustomize.toolkit.fluxcd.io/name': 'vms' } },
    ['Flux manages it (kustomize.toolkit.fluxcd.io/name: vms)'],
  ],
  ['Helm', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } }, ['Helm manages it']],
  ['what is no list', { managedFields: { a: 1 }, labels: null }, []],
])('%s', (_, metadata, expected) => {
  expect(what(metadata)).toEqual(expected);
});
