/**
 * What is observed of domains as people have them, what counts as what, and what is said: after a change on purpose,
 * `npx vitest run test/golden --update` and read the difference.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toObservation } from '../../src/agent/domain/observation.ts';
import { RunningDomain } from '../../src/agent/domain/running-domain.ts';
import type { MemoryLayout } from '../../src/host/port.ts';
import { countedAs, takenOfMaximum, totalOf } from '../../src/host/rules/total.ts';
import type { DomainMemoryXml } from '../../src/libvirt/xml/domain-memory.ts';
import { readDomainDocument } from '../../src/libvirt/xml/domain.ts';
import { type Bytes, bytes, gib, mib, sumBytes } from '../../src/memory/bytes.ts';
import { slotsOfDevices, sumOfDevices } from '../../src/memory/memory-devices.ts';
import { formatQuantity } from '../../src/memory/quantity.ts';
import { computePlan } from '../../src/planner/plan.ts';
import { alignAtStart } from '../../src/preview/align-at-start.ts';
import { requestFromDomain } from '../../src/preview/from-domain-xml.ts';
import { emptyOperationState } from '../../src/memory/operation-state.ts';

const directory = join(import.meta.dirname, '../support/domains');
const files = readdirSync(directory).sort();

const list = (items: readonly string[]): string => (items.length === 0 ? 'none' : items.join(', '));
const quantity = (size: number | null): string => (size === null ? 'none' : formatQuantity(bytes(size)));

/** The domain as the agent has it when it runs. */
function layoutOf(memory: DomainMemoryXml): MemoryLayout {
  const run = new RunningDomain(memory.uuid, 'boot/1/7', 0);
  const facts = { ...emptyOperationState, memory, run, statistics: null, migrating: false, ownerNamespace: null };
  const { layout } = toObservation({ ...facts, state: 'Running', asOfEvent: null, defaultHugePageSize: mib(2) }, 0);
  if (layout === null) throw new Error('the domain is not running');
  return layout;
}

function tellBacking({ nodes, pageSize, preallocated, hostNodes }: MemoryLayout['backings'][number]): string {
  const pages = pageSize === null ? 'ordinary pages' : `pages of ${formatQuantity(pageSize)}`;
  const more = [
    ...(preallocated ? ['touched at once'] : []),
    ...(hostNodes === null ? [] : [`host nodes ${list(hostNodes.map(String))}`]),
  ];
  return `node ${nodes.join(', ')}: ${[pages, ...more].join(', ')}`;
}

/** What is planned for a size relative to the current one. */
function tellPlan(xml: string, difference: number, rounding: 'Exact' | 'Up'): string {
  const wish = (memory: Bytes) =>
    requestFromDomain(xml, {
      ...{ memory, granularity: undefined, hostFree: null, rounding },
      shrink: 'Exact',
      grow: 'Divisible',
    });
  const now = wish(gib(1));
  if (!now.ok) return now.error;
  const { boot, modules, otherTotal } = now.value.request.observation;
  const current = totalOf({ boot, modules, otherTotal: otherTotal ?? bytes(0) });
  const asked = wish(bytes(current + difference));
  const result = asked.ok ? computePlan(asked.value.request) : null;
  if (result?.ok !== true || !asked.ok) return `no plan: ${result?.ok === false ? result.error.problem : ''}`;
  const { decision, reason, message } = result.value;
  return `${quantity(current + difference)}: ${decision} (${reason}): ${reason === 'HotplugUnsupported' ? asked.value.hotplugProblem : message}`;
}

function tellDomain(file: string): string {
  const xml = readFileSync(join(directory, file), 'utf8');
  const read = readDomainDocument(xml);
  if (!read.ok) return `${file}\n  unreadable: ${read.error.path} ${read.error.problem}\n`;
  const memory = alignAtStart(read.value);
  const layout = layoutOf(memory);
  const otherBytes = sumOfDevices(memory.others, 'maximum');
  const { others } = memory;
  const { numbered, unnumbered } = slotsOfDevices(others);
  const rows: [string, string][] = [
    ['', `${memory.type}, ${memory.arch}, ${memory.machine}${memory.id === null ? ', not running' : ''}`],
    ['boot', list(memory.boot.map(({ node, size }) => `node ${node} ${formatQuantity(size)}`))],
    ['modules', list(memory.modules.map(({ slot, size }) => `${formatQuantity(size)} in slot ${slot ?? '?'}`))],
    [
      'others',
      list(
        others.map(
          ({ model, size, given }) => `${model} ${quantity(size)}${given === size ? '' : ` gives ${quantity(given)}`}`,
        ),
      ),
    ],
    [
      'counted',
      `total ${quantity(totalOf(memory))}, promised ${quantity(countedAs(memory, 'promised'))}, ` +
        `${quantity(takenOfMaximum({ ...memory, otherBytes }))} of the maximum of ${quantity(layout.maxMemory)}`,
    ],
    ['slots', `${layout.slots.total}; others hold ${list(numbered.map(String))} and ${unnumbered} without a number`],
    ['behind it', layout.backings.map(tellBacking).join('; ')],
    ...(layout.sharedWith === null
      ? []
      : [['mapped by', `${layout.sharedWith.backend}, surely ${layout.sharedWith.left} more`] as [string, string]]),
    ...(layout.hardLimit === null ? [] : [['hard limit', quantity(layout.hardLimit)] as [string, string]]),
    ['agent', layout.hotplugProblem ?? 'modules can be plugged'],
    ['more', tellPlan(xml, gib(1), 'Exact')],
    ['up', tellPlan(xml, mib(200), 'Up')],
    ['less', tellPlan(xml, 0 - mib(512), 'Exact')],
  ];
  return `${file}\n${rows.map(([name, text]) => `  ${name.padEnd(11)}${text}`).join('\n')}\n`;
}

test('domains as people have them', async () => {
  await expect(files.map(tellDomain).join('\n')).toMatchFileSnapshot(join(import.meta.dirname, 'domains.txt'));
});

test('agent and preview count a running guest alike', () => {
  for (const file of files) {
    const xml = readFileSync(join(directory, file), 'utf8');
    const read = readDomainDocument(xml);
    const asked = requestFromDomain(xml, {
      memory: gib(1),
      granularity: undefined,
      hostFree: null,
      shrink: 'Exact',
      grow: 'Whole',
    });
    if (!read.ok || !asked.ok) throw new Error(file);
    // Being attached: the agent waits until QEMU has said where it is.
    if (read.value.id === null || read.value.modules.some(({ base }) => base === null)) continue;
    const layout = layoutOf(read.value);
    const { boot, modules, otherTotal, otherBytes } = asked.value.request.observation;
    expect([file, totalOf(layout), layout.otherBytes]).toEqual([
      file,
      sumBytes([...boot, ...modules].map(({ size }) => size)) + (otherTotal ?? 0),
      otherBytes,
    ]);
  }
});
