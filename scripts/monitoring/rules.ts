/** The alerts as Prometheus takes them: a file of rules, and the same as a PrometheusRule. */
import { anchorOf } from '../../src/view/runbook.ts';
import type { Alert } from './alert.ts';
import { alertGroups } from './alerts.ts';

/** Where docs/alerts.md speaks of an alert. */
const alertAnchorOf = (name: string): string => `docs/alerts.md#${name.toLowerCase()}`;

const reasonAnchor = `${anchorOf('')}{{ $labels.reason | toLower }}`;

const runbookUrlOf = ({ name, runbook }: Alert): string =>
  runbook === 'by-reason' ? reasonAnchor : alertAnchorOf(name);

const ruleOf = (alert: Alert): object => ({
  alert: alert.name,
  expr: alert.expr,
  for: alert.for,
  labels: { severity: alert.severity },
  annotations: { summary: alert.summary, runbook_url: runbookUrlOf(alert) },
});

/** What `rule_files` of Prometheus takes. */
export const computeRules = (): object => ({
  groups: alertGroups.map(({ name, alerts }) => ({ name, rules: alerts.map(ruleOf) })),
});

/** What the Prometheus operator takes. */
export const computePrometheusRule = (): object => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: {
    name: 'dimmer',
    namespace: 'dimmer-system',
    labels: { 'app.kubernetes.io/name': 'dimmer-controller', 'app.kubernetes.io/part-of': 'dimmer' },
  },
  spec: computeRules(),
});
