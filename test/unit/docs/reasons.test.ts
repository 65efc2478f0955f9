/** Every reason, in the six places where people meet it, from one table: src/api/v1alpha1/reasons.ts and src/view/runbooks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { Registry } from 'prom-client';
import { describe, expect, it, test } from 'vitest';
import { computeReasonDocuments } from '../../../scripts/reason-documents.ts';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import { type EventReason, eventOf, eventTable, type Reason, reasonTable } from '../../../src/api/v1alpha1/reasons.ts';
import type {
  VirtualMachineMemory,
  VirtualMachineMemoryStatus,
} from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { countFleet, declareFleetMetrics } from '../../../src/controllers/memory/fleet-metrics.ts';
import { computeRecordedEvent } from '../../../src/controllers/memory/recorded-event.ts';
import { computeStatus } from '../../../src/controllers/memory/status.ts';
import { anchorOf, isCall } from '../../../src/view/runbook.ts';
import { runbooks } from '../../../src/view/runbooks/all.ts';
import { describeResource } from '../../../src/view/status-text.ts';
import { anchorsIn } from '../../support/anchors.ts';
import { documented } from '../../support/documents.ts';

const nowMs = Date.UTC(2026, 0, 1);
const reasons = Object.keys(reasonTable) as readonly Reason[];
const root = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const look = { width: 400, colour: false };

/** What the controller writes of a reason. */
const statusOf = (reason: Reason): VirtualMachineMemoryStatus =>
  computeStatus({
    ...{ previous: {}, generation: 1, nowMs, judgement: null, target: null, lastResize: undefined },
    verdict: { reason, message: 'the figures', againInMs: null },
    problem: { reason, message: 'the figures', retry: false },
    ...{ desired: null, mode: { kind: 'act' }, notStored: null },
    ...{ pausedBy: null, handled: {}, drift: undefined, release: undefined, notOnlined: undefined },
  });
const resourceOf = (reason: Reason): VirtualMachineMemory => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemory',
  metadata: {
    ...{ name: 'vm', namespace: 'tenants', uid: 'u', resourceVersion: '1', generation: 1 },
    creationTimestamp: new Date(nowMs).toISOString(),
  },
  spec: { virtualMachine: { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11' }, memory: '2Gi' },
  status: statusOf(reason),
});

/** Of a document: the section under the heading that is `reason`. */
const sectionOf = (document: string, reason: string): string =>
  document.split(/^## /m).find((section) => section.startsWith(`${reason}\n`)) ?? '';

describe.each(reasons)('%s', (reason) => {
  const row = reasonTable[reason];
  const runbook = runbooks[reason];
  const needsHelp = row.stalled || row.warning;

  it('is a condition', () => {
    const said = ['Ready', 'Reconciling', 'Stalled'].map((type) => findCondition(statusOf(reason).conditions, type));
    expect(said.map((condition) => condition?.reason)).toEqual([reason, reason, reason]);
    const word = (value: boolean): string => (value ? 'True' : 'False');
    expect(said.map((condition) => condition?.status)).toEqual([row.ready, word(row.reconciling), word(row.stalled)]);
  });

  it('is an event', () => {
    const next = statusOf(reason);
    const event = computeRecordedEvent({}, next, { reason, message: 'the figures', againInMs: null });
    expect(event).toMatchObject({ reason, type: row.warning ? 'Warning' : 'Normal', message: 'the figures' });
  });

  it('is a label of metrics', async () => {
    const registry = new Registry();
    declareFleetMetrics(registry, () => countFleet([resourceOf(reason)], nowMs + 60_000));
    const metrics = await registry.metrics();
    expect(metrics).toContain(`dimmer_resources{reason="${reason}"} 1\n`);
    expect(metrics.includes(`dimmer_longest_unready_seconds{reason="${reason}"} 60\n`)).toBe(row.ready !== 'True');
  });

  it('is a hint of the command line, where there is something to do', () => {
    const text = describeResource(resourceOf(reason), [], look, nowMs);
    expect(text).toMatch(new RegExp(`${row.ready}.*, ${reason}: the figures`));
    expect(runbook.todo !== null || !needsHelp).toBe(true);
    const hint = /^ {2}to do +(.*)/m.exec(text)?.[1] ?? null;
    expect(hint === null).toBe(runbook.todo === null || row.ready === 'True');
    if (hint !== null) expect((runbook.todo ?? '').replaceAll('`', "'")).toContain(hint);
    expect(text.includes(`  more      ${anchorOf(reason)}\n`)).toBe(isCall(runbook));
  });

  it('is an anchor of the runbooks, with all that somebody needs who is called', () => {
    const document = read('docs/runbooks.md');
    expect(anchorsIn(document)).toContain(anchorOf(reason).split('#')[1]);
    expect(isCall(runbook)).toBe(needsHelp);
    const parts = ['Impact', 'Diagnosis', 'Remedy'].filter((part) =>
      sectionOf(document, reason).includes(`**${part}.**`),
    );
    expect(parts).toHaveLength(needsHelp ? 3 : 0);
    if (isCall(runbook)) for (const items of [runbook.diagnosis, runbook.remedy]) expect(items).not.toEqual([]);
  });

  it('is explained in the user guide and the API page', () => {
    expect(read('docs/user-guide.md')).toMatch(
      new RegExp(`^\\| \\[\`${reason}\`\\]\\(runbooks\\.md#${reason.toLowerCase()}\\) +\\| \\S`, 'm'),
    );
    expect(read('docs/api.md')).toMatch(new RegExp(`^\\| \`${reason}\` +\\| ${row.ready} +\\|`, 'm'));
  });
});

describe.each(Object.keys(eventTable) as EventReason[])('%s, told by an event only', (reason) => {
  it('has its runbook, and is named on the API page', () => {
    const { type } = eventOf(reason);
    expect(isCall(runbooks[reason])).toBe(type === 'Warning');
    expect(anchorsIn(read('docs/runbooks.md'))).toContain(reason.toLowerCase());
    expect(read('docs/api.md').replaceAll('\n', ' ')).toMatch(
      new RegExp(`Told by an event only: .*\`${reason}\` \\(${type}\\)`),
    );
  });
});

describe('the documents', () => {
  test('say what the table says: npm run docs writes them', async () => {
    for (const [path, text] of await computeReasonDocuments()) expect(read(path), path).toBe(text);
  });

  test("an alert's expression names metrics and reasons that there are, and its address leads to their runbooks", async () => {
    type Rule = { readonly expr: string; readonly annotations: Readonly<Record<'runbook_url', string>> };
    const { text } = documented('docs/operations.md', 'DimmerNotReady');
    const [rule] =
      (parse(text) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] }).groups[0]?.rules ?? [];
    const [, metric = '', left = ''] = /^(\w+)\{reason!~"([^"]*)"\} > \d+$/.exec(rule?.expr ?? '') ?? [];
    const registry = new Registry();
    declareFleetMetrics(registry, () => countFleet(reasons.map(resourceOf), nowMs));
    const rings = [...(await registry.metrics()).matchAll(/^(\w+)\{reason="(\w+)"\}/gm)].flatMap(
      ([, name, reason = '']) => (name === metric ? [reason] : []),
    );
    expect(rings).toEqual(expect.arrayContaining(left.split('|')));
    const address = rule?.annotations.runbook_url ?? '';
    for (const reason of rings) {
      expect(address.replace('{{ $labels.reason | toLower }}', reason.toLowerCase())).toBe(anchorOf(reason));
    }
  });

  test('the runbooks lead to headings that are there', () => {
    const text = read('docs/runbooks.md');
    const links = [...text.matchAll(/\]\(([^)#]*)#?([^)]*)\)/g)];
    expect(links.length).toBeGreaterThan(3);
    for (const [link, file = '', anchor = ''] of links) {
      const target = file === '' ? text : read(`docs/${file}`);
      if (anchor !== '') expect(anchorsIn(target), link).toContain(anchor);
    }
  });
});
