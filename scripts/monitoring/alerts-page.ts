/** docs/alerts.md: a section for each alert, to which its runbook_url leads. */
import type { Alert } from './alert.ts';
import { alertGroups } from './alerts.ts';

const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');
const alerts = alertGroups.flatMap((group) => group.alerts);
const forLong = (duration: string): string => (duration === '0m' ? '' : `, for ${duration}`);

function sectionOf({ name, severity, runbook, expr, ...alert }: Alert): string {
  const said =
    runbook === 'by-reason'
      ? [
          `**Meaning.** \`${alert.summary.replace('{{ $labels.reason }}', 'REASON')}\``,
          'The label `reason` says why: [runbooks](runbooks.md) has a section for each, and `runbook_url` leads to it.',
        ]
      : [
          `**Meaning.** ${runbook.meaning}`,
          `**Impact.** ${runbook.impact}`,
          ...['**Diagnosis.**', list(runbook.diagnosis), '**Remedy.**', list(runbook.remedy)],
        ];
  return [`## ${name}`, `_${severity}${forLong(alert.for)}_`, `\`\`\`promql\n${expr}\n\`\`\``, ...said].join('\n\n');
}

/** The page, not formatted. */
export const computeAlertsPage = (): string => `# Alerts

<!-- Made from scripts/monitoring by \`npm run docs\`: what is changed here is lost. -->

A section for each alert of \`deploy/monitoring/\`, under its name; how they get to your Prometheus is in the
[operations guide](operations.md#watching-it). critical: somebody should look at once; warning: today; info: it is good to know.

| alert | severity | holds for |
| --- | --- | --- |
${alerts.map(({ name, severity, for: long }) => `| [\`${name}\`](#${name.toLowerCase()}) | ${severity} | ${long} |`).join('\n')}

${alerts.map(sectionOf).join('\n\n')}
`;
