import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { createFinalizerWriter } from '../../../src/kubernetes/finalizer-writer.ts';
import { virtualMachineMemories } from '../../../src/kubernetes/resource-kind.ts';
import type { WriteResult } from '../../../src/runtime/resources.ts';
import { FakeApiServer, type Script } from './support/fake-api-server.ts';
import { rawMemory } from './support/objects.ts';

let server: FakeApiServer;
const learned: string[] = [];
beforeEach(async () => {
  server = await FakeApiServer.start();
  learned.length = 0;
});
afterEach(() => server.close());

const raw = (resourceVersion: string, metadata: object = {}) => {
  const object = rawMemory('a', resourceVersion);
  return { ...object, metadata: { ...(object.metadata as object), ...metadata } };
};
const decoded = virtualMachineMemories.decode(raw('10'));
if (!decoded.ok) throw new Error(decoded.error);
const resource: VirtualMachineMemory = decoded.value;

const write = (script: Script): Promise<WriteResult> => {
  server.writes.push(script);
  return createFinalizerWriter({
    client: server.client(),
    kind: virtualMachineMemories,
    learn: (object) => learned.push(object.metadata.resourceVersion),
  }).write(resource, ['acme.io/backup', 'dimmer.dev/release']);
};

describe('finalizer writer', () => {
  it('patches the finalizers with the resourceVersion and the uid they were derived from, and nothing else', async () => {
    expect(await write(({ reply }) => reply(200, raw('11')))).toEqual({ outcome: 'written', resourceVersion: '11' });
    expect(learned).toEqual(['11']);
    const finalizers = ['acme.io/backup', 'dimmer.dev/release'];
    expect(server.written).toMatchObject([
      { method: 'PATCH', path: '/apis/dimmer.dev/v1alpha1/namespaces/t/virtualmachinememories/a' },
    ]);
    expect(server.written[0]?.body).toEqual({ metadata: { uid: 'uid-a', resourceVersion: '10', finalizers } });
  });

  it('takes an object that went with its last finalizer for gone', async () => {
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(await write(({ reply }) => reply(200, raw('11', { deletionTimestamp })))).toMatchObject({
      outcome: 'written',
    });
    expect(learned).toEqual([]);
    const finalizers = ['acme.io/backup'];
    await write(({ reply }) => reply(200, raw('12', { deletionTimestamp, finalizers })));
    expect(learned).toEqual(['12']);
  });

  it.each<[string, Script, WriteResult]>([
    ['404', ({ refuse }) => refuse(404, 'NotFound'), { outcome: 'gone' }],
    ['409', ({ refuse }) => refuse(409, 'Conflict'), { outcome: 'conflict' }],
    ['403', ({ refuse }) => refuse(403, 'Forbidden'), expect.objectContaining({ outcome: 'failed' }) as WriteResult],
    ['no answer', ({ cut }) => cut(), expect.objectContaining({ outcome: 'failed', retryable: true }) as WriteResult],
    [
      'rubbish',
      ({ reply }) => reply(200, { metadata: {} }),
      expect.objectContaining({ outcome: 'failed' }) as WriteResult,
    ],
  ])('says what became of it: %s', async (_, script, result) => {
    expect(await write(script)).toEqual(result);
    expect(learned).toEqual([]);
  });
});
