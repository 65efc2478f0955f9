/** Argo CD's health checks of deploy/gitops/argocd, in its own layout, run as it runs them. */
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeLab } from '../../lab/describe.ts';
import { watchTools } from '../../lab/watch-tools.ts';
import { type Health, judgeByArgo } from '../../support/argo-health.ts';

const folder = join(import.meta.dirname, '../../../deploy/gitops/argocd');
const scripts = globSync(join(folder, 'resource_customizations/*/*/health.lua'));

type Tests = { readonly tests: readonly { readonly healthStatus: Health; readonly inputPath: string }[] };

await describeLab(
  "Argo CD's health check",
  () => {
    const { lua } = watchTools.find() ?? { lua: '' };

    it('is there for both kinds, and for each with the same script in the ConfigMap', () => {
      const { data } = parse(readFileSync(join(folder, 'argocd-cm.yaml'), 'utf8')) as { data: Record<string, string> };
      const installed = scripts.map((script) => [
        `resource.customizations.health.dimmer.dev_${basename(dirname(script))}`,
        readFileSync(script, 'utf8'),
      ]);
      expect(data).toEqual(Object.fromEntries(installed));
      expect(new Set(Object.values(data)).size).toBe(1);
      expect(installed).toHaveLength(2);
    });

    it.each(scripts.map((script) => [basename(dirname(script)), script] as const))(
      'of a %s says of an object of each reason what health_test.yaml says',
      async (_, script) => {
        const { tests } = parse(readFileSync(join(dirname(script), 'health_test.yaml'), 'utf8')) as Tests;
        const objects = tests.map(
          ({ inputPath }) => parse(readFileSync(join(dirname(script), inputPath), 'utf8')) as object,
        );
        const healths = await judgeByArgo(lua, script, objects);
        const named = (all: readonly Health[]) => all.map((health, index) => [tests[index]?.inputPath, health]);
        expect(named(healths)).toEqual(named(tests.map(({ healthStatus }) => healthStatus)));
        const inputs = globSync('testdata/*.yaml', { cwd: dirname(script) });
        expect(tests.map(({ inputPath }) => inputPath).toSorted()).toEqual(inputs.toSorted());
      },
    );

    it('waits where there is no status at all', async () => {
      for (const script of scripts) {
        const bare = { metadata: { generation: 1 }, spec: {} };
        const [health] = await judgeByArgo(lua, script, [bare]);
        expect(health).toEqual({ status: 'Progressing', message: "Waiting for Dimmer's controller" });
      }
    });
  },
  ['watch-tools'],
);
