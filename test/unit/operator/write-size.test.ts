/** A size goes onto what was shown: a status that was written meanwhile is no conflict, anything else is. */
import { expect, test } from 'vitest';
import { decodeVirtualMachineMemory } from '../../../src/api/v1alpha1/decode.ts';
import type { Seen, SizeSet, SizeWish } from '../../../src/operator/backend.ts';
import { judgeResize, writeSize } from '../../../src/operator/write-size.ts';
import { gib } from '../../../src/memory/bytes.ts';

type Change = { readonly version: string; readonly generation?: number; readonly uid?: string; readonly slot?: number };

function seen({ version, generation = 4, uid = 'u', slot = 0 }: Change): Seen {
  const size = '1Gi';
  const object = {
    metadata: { name: 'db', namespace: 't', uid, resourceVersion: version, generation },
    spec: { virtualMachine: { uuid: 'x' }, memory: '2Gi' },
    status: {
      memory: { boot: '1Gi', plugged: size, current: '2Gi', max: '8Gi' },
      slots: { total: 8, used: 1 },
      modules: [{ slot, alias: 'ua-dimmer-0', node: 0, size, base: '0x100000000', state: 'Plugged' }],
      planning: {
        ...{
          observedAt: '2026-11-30T12:00:00.000Z',
          boot: [{ node: 0, size: '1Gi' }],
          block: '128Mi',
          otherBytes: '0',
        },
        slots: { usedByOthers: [], resting: [] },
        ...{ booting: false, cordoned: false, backings: [{ nodes: [0], preallocated: false }] },
        guest: { usable: '1800Mi', total: '2Gi', reportedAt: '2026-11-30T12:00:00.000Z', report: 'Fresh' },
      },
    },
  };
  const read = decodeVirtualMachineMemory(object);
  if (!read.ok) throw new Error(read.error);
  return { resource: read.value, object };
}

/** Writes 1Gi onto what was seen at version 1, where there are these versions one after the other. */
async function write(
  versions: readonly Change[],
  anyPlan = false,
): Promise<{ readonly set: SizeSet; readonly tried: readonly string[] }> {
  const tried: string[] = [];
  const now = () => versions[Math.min(tried.length, versions.length) - 1] ?? { version: '1' };
  const backend = {
    setMemory({ resource }: Seen, wish: SizeWish): Promise<SizeSet> {
      expect(wish).toEqual({ memory: gib(1) });
      const { resourceVersion } = resource.metadata;
      tried.push(resourceVersion);
      return Promise.resolve(
        now().version === resourceVersion ? { outcome: 'set', by: 'here' } : { outcome: 'changed' },
      );
    },
    get: () => Promise.resolve(seen(now())),
  };
  const first = seen({ version: '1' });
  const set = await writeSize(
    backend,
    first,
    { memory: gib(1) },
    judgeResize(first.resource, { memory: gib(1) }),
    anyPlan,
  );
  return { set, tried };
}

test.each<[string, readonly Change[], string, readonly string[]]>([
  ['nothing', [{ version: '1' }], 'set', ['1']],
  ['a status', [{ version: '2' }, { version: '2' }], 'set', ['1', '2']],
  ['a status, again and again', [{ version: '2' }, { version: '3' }, { version: '3' }], 'set', ['1', '2', '3']],
  ['the spec', [{ version: '2', generation: 5 }], 'changed', ['1']],
  ['the resource itself', [{ version: '2', uid: 'v' }], 'changed', ['1']],
  ['what would leave', [{ version: '2', slot: 3 }], 'changed', ['1']],
  [
    'more than can be followed',
    ['2', '3', '4', '5', '6', '7'].map((version) => ({ version })),
    'changed',
    ['1', '2', '3', '4', '5'],
  ],
])('%s has changed meanwhile', async (_, versions, outcome, tried) => {
  const written = await write(versions);
  expect([written.set.outcome, written.tried]).toEqual([outcome, tried]);
});

test.each<[string, readonly Change[], string, readonly string[]]>([
  [
    'what would leave is no obstacle',
    [
      { version: '2', slot: 3 },
      { version: '2', slot: 3 },
    ],
    'set',
    ['1', '2'],
  ],
  ['the spec is', [{ version: '2', generation: 5 }], 'changed', ['1']],
])('where only the size was decided on, %s', async (_, versions, outcome, tried) => {
  const written = await write(versions, true);
  expect([written.set.outcome, written.tried]).toEqual([outcome, tried]);
});
