/** What deploy/monitoring/ holds, without the programs that read it: those are in test/integration/monitoring. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type Reason, reasonTable } from '../../../src/api/v1alpha1/reasons.ts';
import { anchorsIn } from '../../support/anchors.ts';
import { monitoringDirectory, readDashboards, readPrometheusRule, readRules } from '../../support/monitoring.ts';
import { askedBy, exposedBy, missingIn } from '../../support/promql.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const reasons = Object.keys(reasonTable) as readonly Reason[];
const rules = readRules().groups.flatMap((group) => group.rules);

describe('alerts', () => {
  it('are the same for the operator and without it', () => {
    expect(readPrometheusRule().spec).toEqual(readRules());
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });

  it.each(rules.map((rule) => [rule.alert, rule] as const))('%s leads to a runbook that is there', (_, rule) => {
    const { runbook_url: url } = rule.annotations;
    const told = url.includes('$labels.reason') ? reasons : [''];
    for (const reason of told) {
      const [file = '', anchor] = url.replace('{{ $labels.reason | toLower }}', reason.toLowerCase()).split('#');
      expect(anchorsIn(read(file)), url).toContain(anchor);
    }
    if (told.length > 1) expect(askedBy(rule.expr).grouping).toContain('reason');
  });

  it('ring for each reason that is not as it should be, once, but for those that somebody has chosen', () => {
    const chosen: readonly Reason[] = ['Paused', 'Releasing'];
    const ringing = rules.flatMap(({ expr }) => {
      const [, list = ''] = /longest_unready_seconds\{reason=~"([^"]*)"\}/.exec(expr) ?? [];
      return list === '' ? [] : list.split('|');
    });
    const expected = reasons.filter((reason) => reasonTable[reason].ready !== 'True' && !chosen.includes(reason));
    expect(ringing.toSorted()).toEqual(expected.toSorted());
  });
});

describe('dashboards', () => {
  it.each(readDashboards().map((dashboard) => [dashboard.title, dashboard] as const))(
    '%s says of each panel what it shows, and none covers another',
    (_, { panels }) => {
      const taken = new Set<string>();
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      for (const {
        title,
        type,
        description,
        gridPos: { x, y, w, h },
      } of panels) {
        if (type !== 'row') expect(description, title).toMatch(/\.$/);
        expect(x + w, title).toBeLessThanOrEqual(24);
        for (let column = x; column < x + w; column += 1) {
          for (let line = y; line < y + h; line += 1) {
            expect(taken.has(`${column} ${line}`), title).toBe(false);
            taken.add(`${column} ${line}`);
          }
        }
      }
    },
  );

  it('lead to each other', () => {
    const uids = readDashboards().map(({ uid }) => uid);
    const linked = readDashboards().flatMap((dashboard) =>
      [...JSON.stringify(dashboard).matchAll(/"url":"\/d\/([\w-]+)\?/g)].map(([, uid]) => uid),
    );
    expect(new Set(linked)).toEqual(new Set(['dimmer-host', 'dimmer-vm']));
    expect(uids).toEqual(expect.arrayContaining(linked));
  });
});

test('the PodMonitor selects the pods of the controller, by a port that they have', () => {
  const [deployment] = parseAllDocuments(read('deploy/40-controller.yaml')).map(
    (document) =>
      document.toJS() as {
        spec: {
          template: { metadata: { labels: object }; spec: { containers: { ports: { name: string }[] }[] } };
        };
      },
  );
  const monitor = parse(readFileSync(join(monitoringDirectory, 'pod-monitor.yaml'), 'utf8')) as {
    spec: { selector: { matchLabels: object }; podMetricsEndpoints: { port: string }[] };
  };
  expect(deployment?.spec.template.metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
  const ports = deployment?.spec.template.spec.containers.flatMap((container) =>
    container.ports.map(({ name }) => name),
  );
  for (const { port } of monitor.spec.podMetricsEndpoints) expect(ports).toContain(port);
});

test('what an expression asks for is read from it', () => {
  const expr =
    'max by (host, reason) (a_b{reason!="x{y}", host=~"$host"}[5m]) / on (job) group_left (version) c_total > 0.5 and vector(0) or d';
  expect(askedBy(expr)).toEqual({
    selectors: [
      { metric: 'a_b', labels: ['reason', 'host'] },
      { metric: 'c_total', labels: [] },
      { metric: 'd', labels: [] },
    ],
    grouping: ['host', 'reason', 'job', 'version'],
  });
  const exposed = exposedBy('# HELP a_b x\na_b{host="q\\"}",reason="r"} 1\nc_total 2 \nd{version="1"} 4\n');
  expect(missingIn(exposed, expr)).toEqual([]);
  expect(missingIn(exposed, 'sum by (nowhere) (a_b{no="1"}) or e', ['gone'])).toEqual([
    'a_b{no}',
    'e',
    'label nowhere in sum by (nowhere) (a_b{no="1"}) or e',
    'label gone in sum by (nowhere) (a_b{no="1"}) or e',
  ]);
});
