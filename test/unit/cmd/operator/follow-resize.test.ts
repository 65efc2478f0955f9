/** What a resource says of a size that is waited for. */
import { expect, test } from 'vitest';
import { decodeVirtualMachineMemory } from '../../../../src/api/v1alpha1/decode.ts';
import type { VirtualMachineMemory } from '../../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { judgeProgress } from '../../../../src/cmd/operator/follow-resize.ts';
import { readClusterEvents } from '../../../../src/operator/cluster-events.ts';
import { gib } from '../../../../src/memory/bytes.ts';

function resource(generation: number, memory: string | undefined, seen: number, status = 'False', reason = 'Plugging') {
  const read = decodeVirtualMachineMemory({
    metadata: { name: 'db', namespace: 't', uid: 'u', resourceVersion: '1', generation },
    spec: { virtualMachine: { uuid: 'x' }, memory },
    status: {
      observedGeneration: seen,
      memory: { boot: '1Gi', plugged: '1Gi', current: '2Gi' },
      conditions: [{ type: 'Ready', status, reason, message: 'so', lastTransitionTime: '2026-11-30T11:00:00Z' }],
    },
  });
  if (!read.ok) throw new Error(read.error);
  return read.value;
}
const judge = (now: VirtualMachineMemory | null, isAsked = false) =>
  judgeProgress(now, { name: 'db', memory: gib(3), before: resource(4, '2Gi', 4), isAsked, timeoutMs: 1 });
const told = (reason: string) => `2Gi, ${reason}: so`;

test.each([
  ['nothing has read it yet', resource(4, '2Gi', 4, 'True', 'Converged'), null],
  ['nobody has looked yet', resource(5, '3Gi', 4, 'True', 'Converged'), null],
  ['it is under way', resource(5, '3Gi', 5), { text: told('Plugging'), end: null }],
  ['it is written otherwise', resource(5, '3072Mi', 5), { text: told('Plugging'), end: null }],
  ['it is there', resource(5, '3Gi', 5, 'True', 'Converged'), { text: told('Converged'), end: 0 }],
  [
    'the host is full',
    resource(5, '3Gi', 5, 'False', 'InsufficientHostMemory'),
    { text: told('InsufficientHostMemory'), end: null },
  ],
  ['the guest refused', resource(5, '3Gi', 5, 'False', 'GuestRefused'), { text: told('GuestRefused'), end: 2 }],
  ['it needs somebody', resource(5, '3Gi', 5, 'False', 'UnreachableSize'), { text: told('UnreachableSize'), end: 2 }],
  ['it is paused', resource(5, '3Gi', 5, 'False', 'Paused'), { text: told('Paused'), end: 3 }],
  ['somebody wants something else', resource(6, '4Gi', 6), { text: 'Somebody else asks for 4Gi now.', end: 1 }],
  ['somebody wants nothing', resource(6, undefined, 6), { text: 'Somebody else asks for nothing now.', end: 1 }],
  ['it is gone', null, { text: 'It is gone.', end: 1 }],
])('%s', (_, now, expected) => {
  expect(judge(now)).toEqual(expected);
});

test("where the size stood there already, another one is somebody else's", () => {
  expect(judge(resource(4, '2Gi', 4), true)).toMatchObject({ end: 1 });
});

test('events of both APIs, in the order in which they were last seen', () => {
  const involvedObject = { uid: 'u' };
  const events = readClusterEvents([
    { involvedObject, type: 'Warning', reason: 'B', message: 'b', count: 3, lastTimestamp: '2026-11-30T12:00:02Z' },
    {
      ...{ involvedObject, type: 'Normal', reason: 'C', message: 'c', eventTime: '2026-11-30T12:00:00.000000Z' },
      series: { count: 7, lastObservedTime: '2026-11-30T12:00:03.5Z' },
    },
    {
      involvedObject,
      type: 'Normal',
      reason: 'A',
      message: 'a',
      lastTimestamp: null,
      eventTime: '2026-11-30T12:00:01Z',
    },
    { reason: 'no time' },
    'no event',
  ]);
  expect(events.map(({ reason, count, type, uid }) => [reason, count, type, uid])).toEqual([
    ['A', 1, 'Normal', 'u'],
    ['B', 3, 'Warning', 'u'],
    ['C', 7, 'Normal', 'u'],
  ]);
});
