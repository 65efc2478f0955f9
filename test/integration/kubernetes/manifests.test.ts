/** crds/ and deploy/ as people apply them: file by file or with kustomize, on either side, beside another manager. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../lab/control-plane.ts';
import type { CommandResult } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import { documented } from '../../support/documents.ts';
import { changesIn } from './support/changes-in.ts';
import { deployDirectory } from './support/dimmer-cluster.ts';

const root = join(deployDirectory, '..');
const directories = ['crds', 'deploy'] as const;

/** Object names as kubectl prints them, without what was done to them. */
const objectsIn = (stdout: string): readonly string[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ')[0] ?? '')
    .sort();

let plane: ControlPlane;
const apply = (directory: string, ...args: readonly string[]): Promise<CommandResult> =>
  plane.kubectl(['apply', '-f', `${join(root, directory)}/`, ...args]);
const manager = (name: string): readonly string[] => ['--server-side', `--field-manager=${name}`];

describe('an empty API server', () => {
  beforeAll(async () => {
    plane = await startControlPlane();
  });
  afterAll(() => plane.stop());

  it('takes deploy/ and crds/ from kubectl apply -f, in either order', async () => {
    for (const directory of ['deploy', 'crds']) {
      expect(await apply(directory)).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it('has then all that kubectl apply -k deploy/ makes, which finds nothing to change', async () => {
    const { code, stdout, stderr } = await plane.kubectl(['apply', '-k', deployDirectory]);
    expect({ code, stderr, changes: changesIn(stdout) }).toEqual({ code: 0, stderr: '', changes: [] });
    const byFile = await Promise.all(directories.map(async (directory) => (await apply(directory)).stdout));
    expect(objectsIn(byFile.join(''))).toEqual(objectsIn(stdout));
  });

  it('gives an overlay its own image', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dimmer-overlay-'));
    try {
      const overlay = {
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        resources: [relative(realpathSync(directory), deployDirectory)],
        images: [{ name: 'dimmer', newName: 'registry.example.net/dimmer', newTag: '1.2.3' }],
      };
      writeFileSync(join(directory, 'kustomization.yaml'), JSON.stringify(overlay));
      expect(await plane.kubectl(['apply', '-k', directory])).toMatchObject({ code: 0, stderr: '' });
    } finally {
      rmSync(directory, { recursive: true });
    }
    const image = '-o=jsonpath={.spec.template.spec.containers[0].image}';
    const deployed = ['get', 'deployment', 'dimmer-controller', '-n', 'dimmer-system', image];
    expect(await plane.kubectlOk(deployed)).toBe('registry.example.net/dimmer:1.2.3');
    await plane.kubectlOk(['apply', '-k', deployDirectory]);
  });

  it('gives an object to a manager that applies on the server what was applied by the client', async () => {
    for (const directory of directories) {
      expect(await apply(directory, ...manager('gitops'))).toMatchObject({ code: 0, stderr: '' });
    }
  });
});

describe('an API server that has it all', () => {
  beforeAll(async () => {
    plane = await startControlPlane();
    // As the guide has it for an upgrade, too.
    const { text } = documented('docs/operations.md', '`kubectl apply -k deploy/`');
    await plane.kubectlOk(text.replace('deploy/', deployDirectory).split(' ').slice(1));
  });
  afterAll(() => plane.stop());

  it('has nothing of it any more once it is uninstalled as the guide says', async () => {
    const ours = async (): Promise<string> => {
      const kinds = 'crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding';
      const all = await plane.kubectlOk(['get', kinds, '-o', 'name']);
      return all
        .split('\n')
        .filter((line) => line.includes('dimmer'))
        .join('\n');
    };
    expect(await ours()).not.toBe('');
    const { text } = documented('docs/operations.md', '`kubectl delete -k deploy/`');
    // Nobody ends namespaces here.
    const command = text.replace('deploy/', deployDirectory).split(' ').slice(1);
    expect(await plane.kubectl([...command, '--wait=false'])).toMatchObject({ code: 0, stderr: '' });
    // The resources of a definition go before it does.
    await waitFor(async () => (await ours()) === '', {
      ...{ what: 'all of it to be gone', timeoutMs: 30_000, details: ours },
    });
  });
});

describe('an empty API server, on the server side', () => {
  beforeAll(async () => {
    plane = await startControlPlane();
  });
  afterAll(() => plane.stop());

  it('takes the manifests from one manager', async () => {
    for (const directory of directories) {
      expect(await apply(directory, ...manager('first'))).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it.each(directories)('lets a second manager apply the same %s/ without a conflict', async (directory) => {
    expect(await apply(directory, ...manager('second'))).toMatchObject({ code: 0, stderr: '' });
  });

  it.each(directories)('holds nothing in %s/ that differs from the manifests', async (directory) => {
    const paths = ['-f', `${join(root, directory)}/`];
    expect(await plane.kubectl(['diff', ...paths])).toMatchObject({ code: 0, stdout: '' });
    expect(await plane.kubectl(['diff', ...paths, ...manager('second')])).toMatchObject({ code: 0, stdout: '' });
  });

  it('lets a third manager apply them with kustomize', async () => {
    const applied = await plane.kubectl(['apply', '-k', deployDirectory, ...manager('third')]);
    expect(applied).toMatchObject({ code: 0, stderr: '' });
  });
});
