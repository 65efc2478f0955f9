/** What is said of a VM before anything is plugged into it. */
import { describe, expect, it, test } from 'vitest';
import { memoryLayout } from '../../../../src/host/http/api/layout.ts';
import {
  computeGrowth,
  explainGuestAgent,
  explainSilence,
  judgeShrinking,
  type Shrinking,
} from '../../../../src/host/rules/readiness.ts';
import { gib, mib } from '../../../../src/memory/bytes.ts';
import { Mismatch } from '../../../../src/memory/shape.ts';

test('why a guest says nothing is told apart, as far as the agent says what it could say it with', () => {
  expect(explainSilence('None')).toMatch(/^it has no memory balloon/);
  expect(explainSilence('StatisticsOff')).toMatch(/^its memory statistics are off; the agent switches them on/);
  expect(explainSilence('StatisticsOn')).toMatch(/has not loaded its driver virtio_balloon$/);
  // An older agent: all that it may be.
  expect(explainSilence(undefined)).toMatch(/<memballoon model='virtio'\/>.*<stats period="2"\/>.*virtio_balloon$/);
});

describe('how far a VM can grow', () => {
  const room = { boot: gib(1), present: gib(2), max: gib(8), slots: { total: 4, used: 1 } };

  it.each([
    [{}, { largest: gib(8), limitedBy: 'MaxMemory' }],
    [{ max: gib(64) }, { largest: gib(16), limitedBy: 'BootMemory' }],
    [{ slots: { total: 1, used: 1 } }, { largest: gib(2), limitedBy: 'Slots' }],
    [{ max: mib(2100) }, { largest: gib(2), limitedBy: 'MaxMemory' }],
    [{ max: mib(2200) }, { largest: mib(2176), limitedBy: 'MaxMemory' }],
  ] as const)('%j', (more, expected) => {
    expect(computeGrowth({ ...room, ...more }, mib(128))).toEqual({ ...expected, step: mib(128) });
  });
});

test.each<[Partial<Parameters<typeof judgeShrinking>[0]>, Shrinking]>([
  [{}, 'AsAsked'],
  [{ modules: 0 }, 'NothingPlugged'],
  [{ refused: 1 }, 'Refused'],
  [{ reports: false }, 'NotKnown'],
  [{ system: 'Windows', modules: 0 }, 'Never'],
])('whether it gives memory back: %j', (more, expected) => {
  expect(judgeShrinking({ system: undefined, modules: 2, refused: 0, reports: true, ...more })).toBe(expected);
});

test("a guest's agent is quoted only where somebody could change something", () => {
  const blocks = (offline: number) => ({ blocks: { size: mib(128), online: 4, offline }, problem: null });
  expect(explainGuestAgent(undefined)).toBe('');
  expect(explainGuestAgent(blocks(0))).toBe('');
  expect(explainGuestAgent(blocks(1))).toMatch(/a block of 128Mi is offline$/);
  expect(explainGuestAgent(blocks(2))).toMatch(/2 blocks of 128Mi are offline$/);
  expect(explainGuestAgent({ blocks: null, problem: 'NoChannel' })).toBe('');
  expect(explainGuestAgent({ blocks: null, problem: 'Silent' })).toMatch(/does not answer/);
  expect(explainGuestAgent({ blocks: null, problem: 'Refused' })).toMatch(/allow guest-get-memory-blocks/);
});

test('what an older agent leaves out, or a newer one says in words that are not known, spoils no answer', () => {
  const layout = {
    ...{ boot: [], modules: [], slots: { total: 0, usedByOthers: [], resting: [] }, otherBytes: 0, maxMemory: null },
    ...{ hotplugProblem: null, balloon: 0, pageSize: null, granularity: null, architecture: 'x86_64' },
  };
  expect(memoryLayout.read(layout)).toMatchObject({ architecture: 'x86_64' });
  const read = memoryLayout.read({ ...layout, balloonDevice: 'Quantum', guestSystem: 'TempleOS' });
  if (read instanceof Mismatch) throw new Error(read.explain('it'));
  expect([read.balloonDevice, read.guestSystem]).toEqual([undefined, undefined]);
});
