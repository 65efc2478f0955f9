import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { virtualMachineMemories } from '../../../src/kubernetes/resource-kind.ts';
import { createStatusWriter } from '../../../src/kubernetes/status-writer.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { WriteResult } from '../../../src/runtime/resources.ts';
import { FakeApiServer, type Script } from './support/fake-api-server.ts';
import { listOf, rawMemory } from './support/objects.ts';

let server: FakeApiServer;
const learned: string[] = [];
beforeEach(async () => {
  server = await FakeApiServer.start();
  learned.length = 0;
});
afterEach(() => server.close());

const memoryAt = (resourceVersion: string): VirtualMachineMemory => {
  const decoded = virtualMachineMemories.decode(rawMemory('a', resourceVersion));
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
};
const resource = memoryAt('10');

const write = (...scripts: readonly Script[]): Promise<WriteResult> => {
  server.writes.push(...scripts);
  return createStatusWriter({
    client: server.client(),
    kind: virtualMachineMemories,
    logger: silentLogger,
    learn: (object) => learned.push(object.metadata.resourceVersion),
  }).write(resource, { observedGeneration: 1 });
};

describe('status writer', () => {
  it('puts the status with the resourceVersion and the uid it was derived from', async () => {
    const result = await write(({ reply }) => reply(200, rawMemory('a', '11')));
    expect(result).toEqual({ outcome: 'written', resourceVersion: '11' });
    expect(learned).toEqual(['11']);
    const [put] = server.written;
    expect(put).toMatchObject({
      method: 'PUT',
      path: '/apis/dimmer.dev/v1alpha1/namespaces/t/virtualmachinememories/a/status',
      body: {
        apiVersion: 'dimmer.dev/v1alpha1',
        kind: 'VirtualMachineMemory',
        metadata: { name: 'a', namespace: 't', uid: 'uid-a', resourceVersion: '10' },
        status: { observedGeneration: 1 },
      },
    });
    expect(put?.body).not.toHaveProperty('spec');
  });

  it.each<[string, Script, Script | null, WriteResult]>([
    ['404', ({ refuse }) => refuse(404, 'NotFound'), null, { outcome: 'gone' }],
    [
      '409',
      ({ refuse }) => refuse(409, 'Conflict'),
      listOf('20', rawMemory('a', '15')),
      { outcome: 'conflict', current: memoryAt('15') },
    ],
    [
      '409, then found anew',
      ({ refuse }) => refuse(409, 'Conflict'),
      listOf('20', rawMemory('a', '15', '6Gi', 'other')),
      { outcome: 'gone' },
    ],
    ['409, then not found', ({ refuse }) => refuse(409, 'Conflict'), listOf('20'), { outcome: 'gone' }],
    ['409, then no answer', ({ refuse }) => refuse(409, 'Conflict'), ({ cut }) => cut(), { outcome: 'conflict' }],
    [
      '422',
      ({ refuse }) => refuse(422, 'Invalid'),
      null,
      { outcome: 'failed', message: '422: Invalid!', retryable: false, refused: true },
    ],
    [
      '500',
      ({ refuse }) => refuse(500, 'InternalError'),
      null,
      { outcome: 'failed', message: '500: InternalError!', retryable: true },
    ],
    [
      '403',
      ({ refuse }) => refuse(403, 'Forbidden'),
      null,
      { outcome: 'failed', message: '403: Forbidden!', retryable: true },
    ],
    [
      'an object of another kind',
      ({ reply }) => reply(200, { kind: 'Status' }),
      null,
      { outcome: 'failed', message: '(no name): metadata without name, uid or resourceVersion', retryable: true },
    ],
    [
      'an answer that is no object',
      ({ reply }) => reply(200, 7),
      null,
      { outcome: 'failed', message: 'the answer is not a JSON object', retryable: true },
    ],
  ])('understands %s', async (_, answer, list, expected) => {
    if (list !== null) server.lists.push(list);
    expect(await write(answer)).toEqual(expected);
    expect(learned).toEqual([]);
  });

  it('says that a broken connection may be tried again', async () => {
    expect(await write(({ cut }) => cut())).toMatchObject({ outcome: 'failed', retryable: true });
  });

  it('asks again once with fresh credentials', async () => {
    const result = await write(
      ({ refuse }) => refuse(401, 'Unauthorized'),
      ({ reply }) => reply(200, rawMemory('a', '11')),
    );
    expect(result).toEqual({ outcome: 'written', resourceVersion: '11' });
    expect(server.written.map(({ headers }) => headers.authorization)).toEqual(['Bearer first', 'Bearer fresh']);
  });

  it('does not ask for ever', async () => {
    expect(await write(({ refuse }) => refuse(401, 'Unauthorized'))).toMatchObject({
      outcome: 'failed',
      retryable: true,
    });
    expect(server.written).toHaveLength(2);
  });
});
