/** What is made from crds/ and deploy/ is as it is made, and all of it names one version. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { computeDeployFiles } from '../../../scripts/packaging/made.ts';
import { chartValues } from '../../../scripts/packaging/values.ts';
import { readImageFile } from '../../support/image-file.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { version } = JSON.parse(read('package.json')) as { readonly version: string };
const made = await computeDeployFiles();

describe('what scripts/deploy.ts makes', () => {
  test.each([...made])('%s is up to date: node scripts/deploy.ts makes it', (path, text) => {
    expect(read(path)).toBe(text);
  });

  test('is all that there is, beside what is written by hand', () => {
    const files = ['deploy/helm', 'deploy/olm'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
    );
    const byHand = ['templates/NOTES.txt', 'templates/_helpers.tpl'];
    const others = files.filter((file) => !made.has(file));
    expect(others.sort()).toEqual([...byHand.map((file) => `deploy/helm/dimmer/${file}`), 'deploy/olm/icon.svg']);
  });
});

describe('the version of package.json', () => {
  test.each(['deploy/40-controller.yaml', 'deploy/olm/manifests/dimmer.clusterserviceversion.yaml'])(
    'is that of every image in %s',
    (file) => {
      const images = [...read(file).matchAll(/\b(?:image|containerImage): (\S+)$/gm)].map(([, image]) => image);
      expect([...new Set(images)]).toEqual([`dimmer:${version}`]);
    },
  );

  test('is that of the image', () => {
    expect(readImageFile(read('Dockerfile')).labels['org.opencontainers.image.version']).toBe(version);
    expect(read('Dockerfile')).toContain(`--tag dimmer:${version} .`);
  });
});

describe('the image', () => {
  const image = readImageFile(read('Dockerfile'));
  const deployment = parse(read('deploy/40-controller.yaml').split('\n---\n')[0] ?? '') as {
    spec: {
      template: {
        spec: {
          securityContext: { runAsUser: number; runAsGroup: number };
          containers: readonly { ports: readonly { containerPort: number }[] }[];
        };
      };
    };
  };

  test('runs as whom its Deployment names, and has the ports that are named there', () => {
    const { securityContext, containers } = deployment.spec.template.spec;
    expect(image.user).toBe(`${securityContext.runAsUser}:${securityContext.runAsGroup}`);
    expect(image.ports).toEqual(containers.flatMap(({ ports }) => ports.map(({ containerPort }) => containerPort)));
  });

  test('holds the program and the licences of what is in it, and nothing to build it with', () => {
    expect(image.copies).toEqual([
      { from: ['/package/dist'], to: '/app/dist' },
      { from: ['/package/package.json', '/package/LICENSE'], to: '/app/' },
    ]);
    expect(image.entrypoint).toEqual(['/nodejs/bin/node', '/app/dist/cmd/main.js']);
  });

  test('is built from nothing that was made before', () => {
    const ignored = read('.dockerignore').split('\n');
    for (const name of ['node_modules', 'dist', '.git']) expect(ignored).toContain(name);
  });
});

describe("the chart's values", () => {
  const chart = (name: string) => read(`deploy/helm/dimmer/${name}`);
  const schema = JSON.parse(chart('values.schema.json')) as object;
  const validate = new Ajv({ strictTypes: false }).compile(schema);

  test('are by their own schema, and a name that is not spelled so is not', () => {
    expect([validate(parse(chart('values.yaml'))), validate.errors]).toEqual([true, null]);
    expect(validate({ replicaCount: 3 })).toBe(false);
    expect(validate({ global: { anything: 1 } })).toBe(true);
  });

  test.each(chartValues().map(({ path }) => path))('%s is used by a template', (path) => {
    const templates = readdirSync(join(root, 'deploy/helm/dimmer/templates'), { recursive: true })
      .filter((name) => /\.(yaml|tpl)$/.test(String(name)))
      .map((name) => chart(`templates/${String(name)}`))
      .join('');
    expect(templates).toMatch(new RegExp(`\\.Values\\.${path}\\b`));
  });
});
