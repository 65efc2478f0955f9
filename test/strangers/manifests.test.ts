/** deploy/ and the manifests that the documents show, judged by kubeconform and kube-score. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../lab/control-plane.ts';
import { shareControlPlane } from '../lab/shared-planes.ts';
import { describeLab } from '../lab/describe.ts';
import { waitFor } from '../lab/wait.ts';
import { documents, snippetsOf } from '../support/documents.ts';
import { type Accepted, check, distinct, installed, STRANGERS } from './checkers.ts';

const root = join(import.meta.dirname, '../..');

const storage = 'its root is read-only and it has no volume to write to; its log is the node’s to rotate';
/** What kube-score finds fault with in every Deployment of deploy/. */
const acceptedByKubeScore: Accepted = {
  'container-ephemeral-storage-request-and-limit': storage,
  'container-image-pull-policy':
    'the image of a version never changes, and a node that has it can start it without a registry',
  'container-resources': 'no limit of CPU: throttled in the wrong moment, a leader that works would lose its lease',
};

type Schema = Record<string, unknown>;
type GroupVersionKind = { readonly group: string; readonly version: string; readonly kind: string };

/** Fields that nobody knows are mistakes: kubeconform's own schemas say so with `-strict`. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const schema = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, closed(member)]));
  const isOpen = 'additionalProperties' in schema || schema['x-kubernetes-preserve-unknown-fields'] === true;
  return typeof schema['properties'] === 'object' && 'type' in schema && !isOpen
    ? { ...schema, additionalProperties: false }
    : schema;
}

await describeLab(
  'manifests',
  () => {
    let directory: string;
    let plane: ControlPlane;
    let kubeconform: (manifests: string) => Promise<readonly { status: string; msg: string; kind: string }[]>;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'dimmer-strangers-'));
      plane = await shareControlPlane();
      await writeSchemas();
      const location = join(directory, '{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json');
      kubeconform = async (manifests) => {
        const args = ['-strict', '-verbose', '-output=json', `-schema-location=${location}`, '-'];
        const { stdout } = await check(installed().kubeconform, args, { input: manifests });
        return (JSON.parse(stdout) as { resources: { status: string; msg: string; kind: string }[] }).resources;
      };
    });
    afterAll(async () => {
      await plane.stop();
      rmSync(directory, { recursive: true });
    });

    /** What this API server says of every kind that it serves, ours among them, as a JSON schema each. */
    async function writeSchemas(): Promise<void> {
      let paths: Readonly<Record<string, unknown>> = {};
      // A kind is told there a moment after it is served.
      await waitFor(
        async () => {
          const index = await plane.kubectlOk(['get', '--raw', '/openapi/v3']);
          ({ paths } = JSON.parse(index) as { paths: Record<string, unknown> });
          if (!('apis/dimmer.dev/v1alpha1' in paths)) return false;
          const own = await plane.kubectlOk(['get', '--raw', '/openapi/v3/apis/dimmer.dev/v1alpha1']);
          return ['VirtualMachineMemory', 'HypervisorHost'].every((kind) => own.includes(`"kind":"${kind}"`));
        },
        {
          what: 'our kinds to be in the OpenAPI document',
          timeoutMs: 60_000,
          details: () => Object.keys(paths).join(' '),
        },
      );
      const groups = Object.keys(paths).filter((path) => /^apis?\/(?:.+\/)?v\w+$/.test(path));
      for (const path of groups) {
        const text = await plane.kubectlOk(['get', '--raw', `/openapi/v3/${path}`]);
        const { components } = JSON.parse(text) as { components?: { schemas?: Record<string, Schema> } };
        const schemas = closed(components?.schemas ?? {}) as Record<string, Schema>;
        for (const [name, schema] of Object.entries(schemas)) {
          const kinds = (schema['x-kubernetes-group-version-kind'] ?? []) as readonly GroupVersionKind[];
          const own = kinds.filter(
            ({ group, version }) => path === (group === '' ? `api/${version}` : `apis/${group}/${version}`),
          );
          for (const { group, version, kind } of own) {
            // The core group has no name of its own there.
            const file = `${kind.toLowerCase()}-${group || version}-${version}.json`;
            writeFileSync(
              join(directory, file),
              JSON.stringify({ $ref: `#/components/schemas/${name}`, components: { schemas } }),
            );
          }
        }
      }
    }

    test.each(['deploy', 'deploy/shards'])('kubeconform: every object of %s', async (folder) => {
      const resources = await kubeconform(await plane.kubectlOk(['kustomize', join(root, folder)]));
      expect(resources.length).toBeGreaterThan(3);
      expect(resources.filter(({ status }) => status !== 'statusValid')).toEqual([]);
    });

    test('kubeconform: every manifest that the documents show', async () => {
      const shown = documents
        .flatMap(snippetsOf)
        .filter(({ language, text }) => language === 'yaml' && /^apiVersion: /m.test(text));
      expect(shown.length).toBeGreaterThan(3);
      const resources = await kubeconform(shown.map(({ text }) => text).join('\n---\n'));
      expect(resources.filter(({ status }) => status !== 'statusValid')).toEqual([]);
      expect(new Set(resources.map(({ kind }) => kind))).toContain('VirtualMachineMemory');
    });

    test('kubeconform sees a field that is not there, and a value that may not be', async () => {
      const manifest = (spec: string) =>
        `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata: { name: x }\nspec: ${spec}\n`;
      const good = '{ virtualMachine: { name: db }, hostRef: { name: hv }, memory: 2Gi }';
      const judge = async (spec: string) => (await kubeconform(manifest(spec)))[0]?.status;
      expect(await judge(good)).toBe('statusValid');
      expect(await judge(good.replace('memory', 'memroy'))).toBe('statusInvalid');
      expect(await judge(good.replace(' }', ' }').replace('2Gi }', '2Gi, growPolicy: Never }'))).toBe('statusInvalid');
    });

    // deploy/shards goes on top of deploy/.
    test.each([['deploy'], ['deploy', 'deploy/shards']])('kube-score: %s %s', async (...folders) => {
      const texts = await Promise.all(folders.map((folder) => plane.kubectlOk(['kustomize', join(root, folder)])));
      const input = texts.join('\n---\n');
      const { stdout } = await check(installed().kubeScore, ['score', '--output-format=json', '-'], { input });
      type Check = { readonly check: { readonly id: string }; readonly grade: number; readonly skipped: boolean };
      const objects = JSON.parse(stdout) as readonly { readonly checks: readonly Check[] | null }[];
      const all = objects.flatMap(({ checks }) => checks ?? []).filter(({ skipped }) => !skipped);
      expect(all.length).toBeGreaterThan(10);
      // 10: nothing to say.
      const found = distinct(all.filter(({ grade }) => grade < 10).map(({ check: { id } }) => id));
      expect(found).toEqual(Object.keys(acceptedByKubeScore).toSorted());
    });
  },
  ['control-plane', ...STRANGERS],
);
