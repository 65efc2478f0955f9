/** promtool on what deploy/monitoring holds: rules, each alert at series at which it rings or not, configuration, dashboards. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { describeLab } from '../../lab/describe.ts';
import { run } from '../../lab/run.ts';
import { watchTools } from '../../lab/watch-tools.ts';
import { monitoringDirectory, readExpressions, readRules, type Rule } from '../../support/monitoring.ts';
import { type AlertCase, alertCases } from './alert-cases.ts';

const rulesFile = join(monitoringDirectory, 'dimmer.rules.yaml');
const rules = readRules().groups.flatMap((group) => group.rules);

/** An alert as promtool expects it: with all labels and annotations, their templates filled in. */
const expected = ({ labels, annotations }: Rule, own: Readonly<Record<string, string>>, summary: string) => ({
  exp_labels: { ...labels, ...own },
  exp_annotations: {
    summary,
    runbook_url: annotations.runbook_url.replace('{{ $labels.reason | toLower }}', (own['reason'] ?? '').toLowerCase()),
  },
});
const inputOf = (series: Readonly<Record<string, string>>): object =>
  Object.entries(series).map(([name, values]) => ({ series: name, values }));

/** Two tests of `promtool test rules`: it rings, and it doesn't. */
function testsOf(rule: Rule, { at, interval = '1m', rings, quiet, labels, summary }: AlertCase): readonly object[] {
  const test = (series: Readonly<Record<string, string>>, exp_alerts: readonly object[]) => ({
    interval,
    input_series: inputOf(series),
    alert_rule_test: [{ eval_time: at, alertname: rule.alert, exp_alerts }],
  });
  const first = labels[0]?.['reason'] ?? '';
  const ringing = labels.map((own) => expected(rule, own, summary.replace(first || summary, own['reason'] ?? summary)));
  return [test(rings, ringing), test(quiet, [])];
}

await describeLab(
  'promtool',
  () => {
    const { promtool } = watchTools.find() ?? { promtool: '' };
    let directory: string;
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'dimmer-promtool-'));
    });
    afterAll(() => rmSync(directory, { recursive: true, force: true }));

    /** What it writes, where it ends well; else an error with it. */
    async function ask(...args: readonly string[]): Promise<string> {
      const { code, stdout, stderr } = await run(promtool, args);
      if (code !== 0) throw new Error(`promtool ${args.join(' ')}\n${stdout}${stderr}`);
      return stdout + stderr;
    }

    it('takes the rules, and has nothing to say of them', async () => {
      expect(await ask('check', 'rules', '--lint=all', '--lint-fatal', rulesFile)).toContain(
        `SUCCESS: ${rules.length} rules found`,
      );
    });

    it('takes the example of a configuration', async () => {
      mkdirSync(join(directory, 'prometheus'));
      for (const name of ['prometheus.yaml', 'dimmer.rules.yaml']) {
        cpSync(join(monitoringDirectory, name), join(directory, 'prometheus', name));
      }
      // The certificates are to be where it says.
      const file = join(directory, 'prometheus/prometheus.yaml');
      const text = readFileSync(file, 'utf8').replaceAll('/etc/prometheus/dimmer', directory);
      writeFileSync(file, text);
      for (const name of ['ca.crt', 'tls.crt', 'tls.key']) writeFileSync(join(directory, name), '');
      expect(await ask('check', 'config', '--lint=all', '--lint-fatal', file)).toContain(
        'is valid prometheus config file syntax',
      );
    });

    it('reads every expression of the dashboards', async () => {
      const all = readExpressions().map(({ expr }, index) => ({ record: `expression:${index}`, expr }));
      const file = join(directory, 'expressions.yaml');
      writeFileSync(file, stringify({ groups: [{ name: 'all', rules: all }] }));
      expect(await ask('check', 'rules', '--lint=none', file)).toContain(`SUCCESS: ${all.length} rules found`);
    });

    it('every alert has series at which it rings, and such at which it just does not', () => {
      expect(Object.keys(alertCases).toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
    });

    it('they ring, and ring not, as they should', async () => {
      const tried = rules.flatMap((rule) => {
        const one = alertCases[rule.alert as `Dimmer${string}`];
        return one === undefined ? [] : [[rule, one] as const];
      });
      let count = 0;
      for (const interval of ['1m', '30m']) {
        const file = join(directory, `alerts-${interval}.test.yaml`);
        const tests = tried.flatMap(([rule, one]) => ((one.interval ?? '1m') === interval ? testsOf(rule, one) : []));
        writeFileSync(file, stringify({ rule_files: [rulesFile], evaluation_interval: interval, tests }));
        expect(await ask('test', 'rules', file)).toContain('SUCCESS');
        count += tests.length;
      }
      expect(count).toBe(rules.length * 2);
    });
  },
  ['watch-tools'],
);
