/**
 * What the documents say of reasons, made from the one table: docs/runbooks.md, and the tables in docs/user-guide.md and
 * docs/api.md. `npm run docs` writes them (docs.ts); a test sees to it that they are up to date.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import {
  type AnyReason,
  type EventReason,
  eventTable,
  persistReasons,
  type Reason,
  reasonTable,
} from '../src/api/v1alpha1/reasons.ts';
import { isCall, type Runbook } from '../src/view/runbook.ts';
import { runbooks } from '../src/view/runbooks/all.ts';

const root = join(import.meta.dirname, '..');
const reasons = Object.keys(reasonTable) as readonly Reason[];
const eventReasons = Object.keys(eventTable) as readonly EventReason[];
const ofPersisted = new Set<string>(persistReasons);
const told = new Set<string>([...reasons, ...eventReasons]);
const others = (Object.keys(runbooks) as readonly AnyReason[]).filter((reason) => !told.has(reason));

const word = (value: boolean): string => (value ? 'True' : 'False');
const typeOf = ({ warning }: { readonly warning: boolean }): string => (warning ? 'Warning' : 'Normal');
const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');

/** Where a reason is told, in one line. */
function whereTold(reason: AnyReason): string {
  if (reason in eventTable) return `Told by an event only: ${typeOf(eventTable[reason as EventReason])}.`;
  if (ofPersisted.has(reason)) return 'The condition Persisted is False; Ready says nothing of it.';
  if (!(reason in reasonTable)) return 'A condition of a HypervisorHost.';
  const { ready, reconciling, stalled, warning } = reasonTable[reason as Reason];
  const states = [
    ...[`Ready ${ready}`, ...(reconciling ? ['Reconciling'] : []), ...(stalled ? ['Stalled'] : [])],
    ...[`event ${typeOf({ warning })}`],
  ];
  const goesOn = reconciling ? '; it goes on by itself as soon as it can' : stalled ? '; it needs somebody' : '';
  return `${states.join(', ')}${goesOn}.`;
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

function sectionOf(reason: AnyReason): string {
  const runbook: Runbook = runbooks[reason];
  const beginning = [`## ${reason}`, `_${whereTold(reason)}_`, `**Meaning.** ${sentence(runbook.meaning)}`];
  const rest = isCall(runbook)
    ? [
        `**Impact.** ${runbook.impact}`,
        ...['**Diagnosis.**', list(runbook.diagnosis), '**Remedy.**', list(runbook.remedy)],
      ]
    : [runbook.todo === null ? 'Nothing is to be done.' : `**To do.** ${sentence(runbook.todo)}`];
  return [...beginning, ...rest].join('\n\n');
}

const runbooksText = (): string => `# Runbooks

<!-- Made from src/view/runbooks by \`npm run docs\`: what is changed here is lost. -->

A section for each reason, under the reason itself: \`docs/runbooks.md#guestrefused\` is the anchor of \`GuestRefused\`. The
reason is the same in conditions (\`kubectl describe\`), events, logs, the label \`reason\` of \`dimmer_resources\` and
\`dimmer_longest_unready_seconds\`, and \`dimmer status\`. Where it says "on its host", the admin of that host types it;
\`DOMAIN\` is the VM there, by name or uuid. The message of the condition has the figures of the case: read it first.

${[...reasons, ...others, ...eventReasons].map(sectionOf).join('\n\n')}
`;

const userGuideTable = (): string =>
  tableOf(
    ['reason', 'what it means', 'what to do'],
    reasons.map((reason) => {
      const { meaning, todo } = runbooks[reason];
      return [`[\`${reason}\`](runbooks.md#${reason.toLowerCase()})`, meaning, todo ?? ''];
    }),
  );

const apiTable = (): string =>
  tableOf(
    ['reason', 'Ready', 'Reconciling', 'Stalled', 'event'],
    Object.entries(reasonTable).map(([reason, { ready, reconciling, stalled, warning }]) => [
      ...[`\`${reason}\``, ready, word(reconciling), word(stalled)],
      typeOf({ warning }),
    ]),
  );

const eventsOnly = (): string =>
  `Told by an event only: ${eventReasons.map((reason) => `\`${reason}\` (${typeOf(eventTable[reason])})`).join(', ')}.`;

/** `document` with what `pattern` finds replaced. @throws Error where it is not there */
function replaced(document: string, pattern: RegExp, by: string): string {
  if (!pattern.test(document)) throw new Error(`nothing fits ${pattern.source}`);
  return document.replace(pattern, () => by);
}

const reasonsTablePattern = /^\| reason [^]*?(?=\n\n|\n?$(?![^]))/m;

/** The documents as they should be, by path below the repository's root. */
export async function computeReasonDocuments(): Promise<ReadonlyMap<string, string>> {
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const api = replaced(read('docs/api.md'), reasonsTablePattern, apiTable());
  const texts = {
    'docs/runbooks.md': runbooksText(),
    'docs/user-guide.md': replaced(read('docs/user-guide.md'), reasonsTablePattern, userGuideTable()),
    'docs/api.md': replaced(api, /^Told by an event only: [^]*?(?=\n\n)/m, eventsOnly()),
  };
  const options = await resolveConfig(join(root, 'docs/api.md'));
  const formatted = Object.entries(texts).map(
    async ([path, text]) => [path, await format(text, { ...options, parser: 'markdown' })] as const,
  );
  return new Map(await Promise.all(formatted));
}
