/** What is made of the sources here: rules and dashboards of deploy/monitoring/, docs/alerts.md. */
import { stringify } from 'yaml';
import { computeAlertsPage } from './alerts-page.ts';
import { computeDashboard, type Dashboard } from './dashboard.ts';
import { fleetDashboard } from './fleet-dashboard.ts';
import { hostDashboard } from './host-dashboard.ts';
import { computePrometheusRule, computeRules } from './rules.ts';
import { vmDashboard } from './vm-dashboard.ts';

const made = '# Made from scripts/monitoring by `npm run docs`: what is changed here is lost.\n';
const yaml = (value: object): string => `${made}${stringify(value, { lineWidth: 0 })}`;
const dashboards: readonly Dashboard[] = [fleetDashboard, hostDashboard, vmDashboard];

/** Files by path below the repository's root; not formatted. */
export const computeMonitoringFiles = (): readonly (readonly [path: string, text: string])[] => [
  ['deploy/monitoring/dimmer.rules.yaml', yaml(computeRules())],
  ['deploy/monitoring/prometheus-rule.yaml', yaml(computePrometheusRule())],
  ['docs/alerts.md', computeAlertsPage()],
  ...dashboards.map(
    (dashboard) =>
      [`deploy/monitoring/dashboards/${dashboard.uid}.json`, JSON.stringify(computeDashboard(dashboard))] as const,
  ),
];
