/** Every expression of deploy/monitoring/, from the files that people install. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';

export const monitoringDirectory = join(import.meta.dirname, '../../deploy/monitoring');

export type Rule = {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<'summary' | 'runbook_url', string>>;
};
export type Rules = { readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[] };

/** Where an expression is, and the labels that are shown of what it gives. */
export type Expression = { readonly where: string; readonly expr: string; readonly shown: readonly string[] };

type Target = { readonly expr: string; readonly legendFormat?: string };
type Override = { readonly matcher: { readonly options: string } };
export type DashboardPanel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  readonly targets?: readonly Target[];
  readonly transformations?: readonly {
    readonly id: string;
    readonly options: { readonly include?: { readonly names: readonly string[] } };
  }[];
  readonly fieldConfig?: { readonly overrides: readonly Override[] };
};
export type DashboardFile = {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly DashboardPanel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
};

const read = (path: string): string => readFileSync(join(monitoringDirectory, path), 'utf8');
export const readRules = (): Rules => parse(read('dimmer.rules.yaml')) as Rules;
export const readPrometheusRule = (): { readonly spec: Rules } =>
  parse(read('prometheus-rule.yaml')) as { readonly spec: Rules };
export const readDashboards = (): readonly DashboardFile[] =>
  globSync(join(monitoringDirectory, 'dashboards/*.json'))
    .sort()
    .map((path) => JSON.parse(read(join('dashboards', basename(path)))) as DashboardFile);

const labelsIn = (template: string, pattern: RegExp): readonly string[] =>
  [...template.matchAll(pattern)].map(([, label = '']) => label);

/** The variables of dashboards, as any value would stand there. */
const filledIn = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(?:host|instance|namespace|name)\b/g, 'x');

function ofPanel(
  dashboard: string,
  { title, targets = [], transformations = [] }: DashboardPanel,
): readonly Expression[] {
  // A table shows labels by their name, and values by the letter of their query.
  const columns = transformations
    .flatMap(({ options }) => options.include?.names ?? [])
    .filter((name) => !name.startsWith('Value'));
  const exprs = targets.map(({ expr, legendFormat = '' }) => ({
    ...{ where: `${dashboard}: ${title}`, expr: filledIn(expr) },
    shown: labelsIn(legendFormat, /\{\{(\w+)\}\}/g),
  }));
  if (columns.length === 0) return exprs;
  // Which of its queries has a column is seen in all of them together.
  const [first, ...rest] = exprs;
  const joined = exprs.map(({ expr }) => `(${expr})`).join(' or ');
  return first === undefined ? [] : [first, ...rest, { ...first, expr: joined, shown: columns }];
}

const ofVariable = (dashboard: string, name: string, definition: string): readonly Expression[] => {
  const [, expr = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? [];
  return [{ where: `${dashboard}: variable ${name}`, expr: filledIn(expr), shown: [label] }];
};

/** All of them. */
export const readExpressions = (): readonly Expression[] => [
  ...readRules().groups.flatMap(({ rules }) =>
    rules.map(({ alert, expr, annotations }) => ({
      ...{ where: alert, expr },
      shown: labelsIn(`${annotations.summary}${annotations.runbook_url}`, /\$labels\.(\w+)/g),
    })),
  ),
  ...readDashboards().flatMap(({ title, panels, templating }) => [
    ...panels.flatMap((panel) => ofPanel(title, panel)),
    ...templating.list.flatMap(({ name, definition }) =>
      definition === undefined ? [] : ofVariable(title, name, definition),
    ),
  ]),
];
