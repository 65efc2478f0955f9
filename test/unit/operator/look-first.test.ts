/** A look that is asked for before a plan is shown: only where modules would leave by what is old, and never more than a wish. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { decodeVirtualMachineMemory } from '../../../src/api/v1alpha1/decode.ts';
import { gib } from '../../../src/memory/bytes.ts';
import type { Backend, Seen } from '../../../src/operator/backend.ts';
import { lookFirst } from '../../../src/operator/look-first.ts';
import { StandaloneBackend } from '../../../src/operator/standalone-backend.ts';
import { manifest, StandaloneBench } from '../../support/standalone-bench.ts';

const minute = (number: number): string => `2026-11-30T12:0${number}:00.000Z`;
const nowMs = Date.parse(minute(5));
const never = new AbortController().signal;

function seen(observedAt: string, uid = 'u'): Seen {
  const object = {
    metadata: { name: 'db', namespace: 't', uid, resourceVersion: observedAt, generation: 4 },
    spec: { virtualMachine: { uuid: 'x' }, memory: '2Gi' },
    status: {
      memory: { boot: '1Gi', plugged: '1Gi', current: '2Gi', max: '8Gi' },
      slots: { total: 8, used: 1 },
      modules: [{ slot: 0, alias: 'ua-dimmer-0', node: 0, size: '1Gi', base: '0x100000000', state: 'Plugged' }],
      planning: {
        ...{ observedAt, boot: [{ node: 0, size: '1Gi' }], block: '128Mi', otherBytes: '0' },
        slots: { usedByOthers: [], resting: [] },
        ...{ booting: false, cordoned: false, backings: [{ nodes: [0], preallocated: false }] },
        guest: { usable: '1800Mi', total: '2Gi', reportedAt: observedAt, report: 'Fresh' },
      },
    },
  };
  const read = decodeVirtualMachineMemory(object);
  if (!read.ok) throw new Error(read.error);
  return { resource: read.value, object };
}

/** Somebody who can be asked, and what follows then; `asked`: what was asked. */
function backendOf(follows: readonly Seen[], ask: Backend['ask'] = () => Promise.resolve({ outcome: 'set' })) {
  const asked: string[] = [];
  const backend: Parameters<typeof lookFirst>[0] = {
    ask(which, what, at) {
      asked.push(`${what} ${at}`);
      return ask(which, what, at);
    },
    async *follow() {
      for (const each of follows) yield await Promise.resolve([each]);
      // It has gone by the time somebody looks.
      if (follows.length === 0) throw new Error('the watch failed');
    },
    get: () => Promise.resolve(seen(minute(9))),
  };
  return { backend, asked };
}

test('what is old, and would let modules go, is looked at anew', async () => {
  const first = seen(minute(3));
  const { backend, asked } = backendOf([first, seen(minute(3)), seen(minute(5))]);
  const now = await lookFirst(backend, first, { memory: gib(1) }, never, nowMs);
  expect(now.resource.status?.planning?.observedAt).toBe(minute(9));
  expect(asked).toEqual([`observe ${minute(5)}`]);
});

test.each([
  ['is fresh', minute(5), gib(1)],
  ['lets nothing go', minute(3), gib(4)],
  ['cannot be had', minute(3), gib(100)],
])('nobody is asked about what %s', async (_, observedAt, memory) => {
  const first = seen(observedAt);
  const { backend, asked } = backendOf([]);
  expect(await lookFirst(backend, first, { memory }, never, nowMs)).toBe(first);
  expect(asked).toEqual([]);
});

test.each<[string, readonly Seen[], Backend['ask']?]>([
  ['may not ask', [seen(minute(5))], () => Promise.resolve({ outcome: 'refused', message: 'Forbidden' })],
  ['cannot ask', [seen(minute(5))], () => Promise.reject(new Error('EACCES'))],
  ['cannot follow', []],
  ['finds another of that name', [seen(minute(5), 'another')]],
  ['is not answered', [seen(minute(3))]],
])('who %s sees what was there', async (_, follows, ask) => {
  const first = seen(minute(3));
  const { backend } = backendOf(follows, ask);
  expect(await lookFirst(backend, first, { memory: gib(1) }, never, nowMs)).toBe(first);
});

describe('of a standalone', () => {
  let bench: StandaloneBench;
  beforeEach(async () => {
    bench = new StandaloneBench();
    bench.rename('db.yaml', manifest('2Gi'));
    await bench.start();
  });
  afterEach(() => bench.close());

  test('a look is had while it runs, and none afterwards', async () => {
    const backend = new StandaloneBackend(bench.state, null);
    await vi.waitFor(async () => {
      const { resource } = await backend.get('db-1');
      expect(resource.status?.memory?.current).toBe('2Gi');
      expect(bench.reason()).toBe('Converged');
    }, 20_000);
    const first = await backend.get('db-1');
    const soon = Date.now() + 20_000;
    const now = await lookFirst(backend, first, { memory: gib(1) }, never, soon);
    const timeOf = ({ resource }: Seen): number => Date.parse(resource.status?.planning?.observedAt ?? '');
    expect(timeOf(now)).toBeGreaterThan(timeOf(first));
    expect([now.resource.spec, now.resource.metadata.generation]).toEqual([first.resource.spec, 1]);
    await bench.stop();
    const last = await backend.get('db-1');
    const shortly = AbortSignal.timeout(200);
    expect(await lookFirst(backend, last, { memory: gib(1) }, shortly, soon)).toBe(last);
  });
});
