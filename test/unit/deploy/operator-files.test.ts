/** What is shipped for tools of others: the manifest for krew and the plugins for k9s, by the rules that those publish. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { run } from '../../lab/run.ts';
import { builtMain, runProgram } from '../../support/built-program.ts';
import { commandsOf, documented } from '../../support/documents.ts';

const root = join(import.meta.dirname, '../../..');
const readRoot = (name: string): string => readFileSync(join(root, name), 'utf8');
const builtPlugin = join(dirname(builtMain), 'kubectl-dimmer.js');
const commands = ['status', 'plan', 'resize', 'why', 'events', 'hosts'];
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });

describe('krew', () => {
  /** ValidatePlugin of sigs.k8s.io/krew, internal/index/validation/validate.go, and what its index asks beyond. */
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    properties: {
      apiVersion: { const: 'krew.googlecontainertools.github.com/v1alpha2' },
      kind: { const: 'Plugin' },
      metadata: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        properties: { name: { type: 'string', pattern: '^[\\w-]+$' } },
      },
      spec: {
        type: 'object',
        additionalProperties: false,
        required: ['version', 'shortDescription', 'platforms'],
        properties: {
          version: { type: 'string', pattern: '^v\\d+\\.\\d+\\.\\d+(-[0-9A-Za-z.-]+)?$' },
          // In one line of a list; no full stop, and not longer than krew's index wants it.
          shortDescription: { type: 'string', pattern: '^[^\\r\\n]+[^.\\r\\n]$', maxLength: 50 },
          description: { type: 'string', minLength: 1 },
          caveats: { type: 'string', minLength: 1 },
          homepage: { type: 'string', pattern: '^https://' },
          platforms: {
            type: 'array',
            minItems: 1,
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['selector', 'uri', 'sha256', 'bin'],
              properties: {
                uri: { type: 'string', pattern: '^https://' },
                sha256: { type: 'string', pattern: '^[a-f0-9]{64}$' },
                bin: { type: 'string', minLength: 1 },
                files: {
                  type: 'array',
                  minItems: 1,
                  items: { type: 'object', required: ['from', 'to'] },
                },
                selector: {
                  type: 'object',
                  minProperties: 1,
                  additionalProperties: false,
                  properties: {
                    matchLabels: {
                      type: 'object',
                      minProperties: 1,
                      propertyNames: { enum: ['os', 'arch'] },
                    },
                    matchExpressions: {
                      type: 'array',
                      minItems: 1,
                      items: {
                        type: 'object',
                        required: ['key', 'operator', 'values'],
                        properties: { key: { enum: ['os', 'arch'] }, operator: { enum: ['In', 'NotIn'] } },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
  };
  const validate = ajv.compile(schema);

  test('a filled manifest is valid, and speaks of the archive', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dimmer-krew-'));
    try {
      symlinkSync(join(root, 'scripts'), join(folder, 'scripts'));
      const [typed] = commandsOf(documented('docs/operations.md', 'node scripts/krew.ts'));
      const [, name = '', uri = '', file = ''] = /(\S+\.tgz) (https:\S+) > (\S+)$/.exec(typed?.command ?? '') ?? [];
      writeFileSync(join(folder, name), 'an archive');
      const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
      const { code, stderr } = await run('sh', ['-euc', typed?.command ?? ''], { cwd: folder, env });
      expect([code, stderr]).toEqual([0, '']);
      const stdout = readFileSync(join(folder, file), 'utf8');
      const manifest = parse(stdout) as {
        spec: { version: string; platforms: readonly unknown[]; description: string };
      };
      expect([validate(manifest), validate.errors]).toEqual([true, null]);
      const { version } = JSON.parse(readRoot('package.json')) as { readonly version: string };
      expect(manifest.spec.version).toBe(`v${version}`);
      const sha256 = createHash('sha256').update('an archive').digest('hex');
      expect(manifest.spec.platforms).toMatchObject([{ uri, sha256 }]);
      const { bin } = JSON.parse(readRoot('package.json')) as { readonly bin: Record<string, string> };
      expect(manifest.spec.platforms).toMatchObject([{ bin: `package/${bin['kubectl-dimmer'] ?? ''}` }]);
      for (const command of commands) expect(manifest.spec.description).toContain(`kubectl dimmer ${command} `);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('what is not filled in is refused', () => {
    expect(validate(parse(readRoot('deploy/kubectl/krew.yaml')))).toBe(false);
  });
});

describe('k9s', () => {
  type Plugin = { readonly shortCut: string; readonly scopes: readonly string[]; readonly args: readonly string[] };
  /** internal/config/json/schemas/plugins.json of github.com/derailed/k9s. */
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['plugins'],
    properties: {
      plugins: {
        type: 'object',
        additionalProperties: {
          type: 'object',
          additionalProperties: false,
          required: ['shortCut', 'description', 'scopes', 'command'],
          properties: {
            shortCut: { type: 'string' },
            override: { type: 'boolean' },
            description: { type: 'string' },
            confirm: { type: 'boolean' },
            dangerous: { type: 'boolean' },
            scopes: { type: 'array', items: { type: 'string' } },
            command: { type: 'string' },
            background: { type: 'boolean' },
            overwriteOutput: { type: 'boolean' },
            args: { type: 'array', items: { type: ['string', 'number'] } },
          },
        },
      },
    },
  };
  const file = parse(readRoot('deploy/kubectl/k9s-plugins.yaml')) as { readonly plugins: Record<string, Plugin> };
  const plugins = Object.entries(file.plugins);

  test('the file is one of plugins', () => {
    const validate = ajv.compile(schema);
    expect([validate(file), validate.errors]).toEqual([true, null]);
  });

  test('its keys are each there once, and every command has one', () => {
    const keys = plugins.map(([, { shortCut }]) => shortCut);
    expect(new Set(keys).size).toBe(keys.length);
    const called = plugins.map(([, { args }]) => /\bkubectl dimmer (\w+)/.exec(args.join(' '))?.[1]);
    expect(called.toSorted()).toEqual(commands.toSorted());
  });

  test.each(plugins)('%s calls what there is, with options that it has', async (_, { args }) => {
    const line = args.join(' ');
    const command = /\bkubectl dimmer (\w+)/.exec(line)?.[1] ?? '';
    const { exit, stdout } = await runProgram([command, '--help'], { program: builtPlugin });
    expect(exit).toBe(0);
    for (const [, option] of line.matchAll(/ (--[a-z-]+)/g)) expect(stdout).toContain(` ${option ?? ''}`);
  });

  test.each(plugins)(
    '%s fills in nothing that k9s does not know, and leaves the shell its own',
    (_, { args, scopes }) => {
      // envRX of internal/view/env.go: any other word behind a dollar makes k9s refuse the plugin.
      const filled = args.flatMap((arg) => arg.match(/\$!?[\w|-]+/g) ?? []);
      for (const name of filled) expect(['$NAME', '$NAMESPACE', '$CONTEXT', '$KUBECONFIG']).toContain(name);
      // Else one that k9s was told by --kubeconfig, or a cluster chosen in it, would not be the one that is asked.
      expect(args[0]).toBe('KUBECONFIG=$KUBECONFIG');
      expect(filled).toContain('$CONTEXT');
      const crds = ['virtualmachinememories', 'hypervisorhosts'].map((plural) => {
        const crd = parse(readRoot(`crds/dimmer.dev_${plural}.yaml`)) as {
          spec: { names: { plural: string; shortNames: string[] } };
        };
        return [crd.spec.names.plural, ...crd.spec.names.shortNames];
      });
      expect(crds).toContainEqual(scopes);
    },
  );

  test.each(plugins.filter(([, { args }]) => args.includes('-c')))(
    '%s is a line that a shell takes',
    async (_, { args }) => {
      const [, shell = '', flag, script = '', ...words] = args;
      expect(flag).toBe('-c');
      const { code, stderr } = await run(shell, ['-n', '-c', script]);
      expect([code, stderr]).toEqual([0, '']);
      // The words behind the script are numbered from its name on.
      const numbered = [...script.matchAll(/\$\{(\d)\}/g)].map(([, digit]) => Number(digit));
      expect(Math.max(...numbered)).toBe(words.length - 1);
    },
  );
});
