/** The examples for cert-manager, held to its own schemas and to what the rest of Dimmer expects of the certificates. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { documented } from '../../support/documents.ts';

const root = join(import.meta.dirname, '../../..');
type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema };
type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Readonly<Record<string, unknown>>;
};

const fixture = readFileSync(join(import.meta.dirname, 'fixtures/cert-manager-v1.21.2.json'), 'utf8');
const { spec: schemas } = JSON.parse(fixture) as { readonly spec: Readonly<Record<string, Schema>> };

/** As an API server with strict field validation: what isn't named isn't allowed. */
const strict = (schema: Schema): object => ({
  ...schema,
  ...(schema.items === undefined ? {} : { items: strict(schema.items) }),
  ...(schema.properties === undefined
    ? {}
    : {
        additionalProperties: false,
        properties: Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, strict(inner)])),
      }),
});
const ajv = new Ajv({ strict: false, allErrors: true, formats: { int32: true, int64: true } });

const { text: command } = documented('docs/operations.md', 'kubectl apply --filename deploy/cert-manager/');
const folder = join(root, /--filename (\S+)/.exec(command)?.[1] ?? '');
const manifests = readdirSync(folder).flatMap((name) =>
  parseAllDocuments(readFileSync(join(folder, name), 'utf8')).map((document) => document.toJS() as Manifest),
);
const named = (kind: string, name: string): Manifest => {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
};

test.each(manifests.map((manifest) => [manifest.kind, manifest.metadata.name, manifest] as const))(
  "%s %s is what cert-manager's schema takes",
  (kind, _, { apiVersion, metadata, spec }) => {
    expect([apiVersion, metadata.namespace]).toEqual(['cert-manager.io/v1', 'dimmer-system']);
    const validate = ajv.compile(strict(schemas[kind] ?? {}));
    validate(spec);
    expect(validate.errors ?? []).toEqual([]);
  },
);

test('a field that the schema does not know is found', () => {
  const validate = ajv.compile(strict(schemas['Certificate'] ?? {}));
  const { spec } = named('Certificate', 'agent-hv-07');
  expect([validate(spec), validate({ ...spec, dnsName: 'x' }), validate({ ...spec, usages: ['server'] })]).toEqual([
    true,
    false,
    false,
  ]);
});

describe('what they are for', () => {
  const { spec: agent } = named('Certificate', 'agent-hv-07');
  const { spec: controller } = named('Certificate', 'dimmer-agent-client');

  test('every issuer is there', () => {
    for (const { kind, spec } of manifests) {
      if (kind === 'Certificate') named('Issuer', (spec['issuerRef'] as { name: string }).name);
    }
    expect(named('Issuer', 'dimmer-ca').spec).toEqual({
      ca: { secretName: named('Certificate', 'dimmer-ca').spec['secretName'] },
    });
  });

  test("the controller's is in the Secret that its Deployment mounts, under the name that agents are told", () => {
    const deployment = readFileSync(join(root, 'deploy/40-controller.yaml'), 'utf8');
    expect(deployment).toContain(`secretName: ${String(controller['secretName'])}`);
    const [, uri] = /--allow-client (\S+)/.exec(documented('docs/operations.md', 'DIMMER_AGENT_FLAGS=').text) ?? [];
    expect(controller['uris']).toEqual([uri]);
    expect(controller['usages']).toEqual(['digital signature', 'client auth']);
  });

  test("an agent's is for the host of the guide, as a server and nothing else", () => {
    const host = parse(documented('docs/operations.md', 'address: https://hv-07.example.net:9443').text) as {
      spec: { address: string };
    };
    expect(agent['dnsNames']).toEqual([new URL(host.spec.address).hostname]);
    expect(agent['usages']).toEqual(['digital signature', 'server auth']);
  });

  test('they are renewed before agents warn of their end', () => {
    for (const { duration, renewBefore } of [agent, controller]) {
      expect([duration, renewBefore]).toEqual(['2160h', '720h']);
    }
  });
});
