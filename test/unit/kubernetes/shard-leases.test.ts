/** Which shards there are, by the Leases that an API server has. */
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatLabelSelector } from '../../../src/api/v1alpha1/selector-text.ts';
import type { ApiClient, ApiRequest } from '../../../src/kubernetes/api-client.ts';
import { ShardLeases } from '../../../src/kubernetes/shard-leases.ts';
import { succeed } from '../../../src/memory/result.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ManualClock } from '../../support/manual-clock.ts';

type Said = { readonly holder?: string; readonly selector?: string; readonly seconds?: number };

let clock: ManualClock;
let version: number;
let objects: Map<string, object>;
let stream: PassThrough | null;
let asked: ApiRequest[];
let shards: ShardLeases;
let changes: number;

function lease(name: string, { holder, selector, seconds = 12 }: Said): object {
  version += 1;
  return {
    metadata: {
      ...{ name, namespace: 'dimmer-system', uid: `uid-${name}`, resourceVersion: String(version) },
      labels: { 'dimmer.dev/shard': 'true' },
      ...(selector === undefined ? {} : { annotations: { 'dimmer.dev/shard-selector': selector } }),
    },
    spec: {
      leaseDurationSeconds: seconds,
      renewTime: String(version),
      ...(holder === undefined ? {} : { holderIdentity: holder }),
    },
  };
}
async function put(name: string, said: Said): Promise<void> {
  const object = lease(name, said);
  const type = objects.has(name) ? 'MODIFIED' : 'ADDED';
  objects.set(name, object);
  stream?.write(`${JSON.stringify({ type, object })}\n`);
  await clock.advance(0);
}
const seen = () =>
  Object.fromEntries(
    shards
      .list()
      .map(({ name, selector, isTaken, isHeld }) => [
        name,
        `${formatLabelSelector(selector)}${isTaken ? ' taken' : ''}${isHeld ? ' held' : ''}`,
      ]),
  );

beforeEach(async () => {
  clock = new ManualClock();
  version = 100;
  objects = new Map();
  stream = null;
  asked = [];
  changes = 0;
  const client: ApiClient = {
    send: (request) => {
      asked.push(request);
      return Promise.resolve(succeed({ metadata: { resourceVersion: String(version) }, items: [...objects.values()] }));
    },
    stream: (request) => {
      asked.push(request);
      stream = new PassThrough();
      request.signal.addEventListener('abort', () => stream?.destroy());
      return Promise.resolve(succeed(stream));
    },
  };
  shards = new ShardLeases({
    ...{ client, clock, logger: silentLogger, random: () => 0 },
    ...{ namespace: 'dimmer-system', name: 'b' },
  });
  shards.onChange(() => (changes += 1));
  objects.set('a', lease('a', { holder: 'somebody', selector: 'zone=a' }));
  objects.set('b', lease('b', { holder: 'we', selector: 'zone=b' }));
  await shards.start(new AbortController().signal);
  await clock.advance(0);
});
afterEach(() => shards.close());

it('reads those that have the label, in its namespace', () => {
  expect(seen()).toEqual({ a: 'zone=a taken held', b: 'zone=b taken held' });
  expect(asked.map(({ path, query }) => [path, query?.['labelSelector']])).toEqual(
    Array.from({ length: 2 }, () => [
      '/apis/coordination.k8s.io/v1/namespaces/dimmer-system/leases',
      'dimmer.dev/shard',
    ]),
  );
});

it('says nothing of a renewal, and that a Lease is not held once it has been the same for as long as it says', async () => {
  changes = 0;
  await clock.advance(10_000);
  await put('a', { holder: 'somebody', selector: 'zone=a' });
  await clock.advance(1_999);
  expect([changes, seen()]).toEqual([0, { a: 'zone=a taken held', b: 'zone=b taken held' }]);
  // Ours isn't renewed in this test.
  await clock.advance(1);
  expect(seen()).toEqual({ a: 'zone=a taken held', b: 'zone=b taken' });
  await clock.advance(10_000);
  expect([changes, seen()]).toEqual([2, { a: 'zone=a taken', b: 'zone=b taken' }]);
  await put('a', { holder: 'another', selector: 'zone=a' });
  expect(seen()).toEqual({ a: 'zone=a taken held', b: 'zone=b taken' });
});

it('knows one that was given up, one that is gone, and since when the set is what it is', async () => {
  await clock.advance(5_000);
  await put('a', { selector: 'zone=a', seconds: 1 });
  expect([seen()['a'], shards.unchangedMs()]).toEqual(['zone=a', 0]);
  await put('c', { holder: 'new', selector: 'zone in (c,d)' });
  expect([seen()['c'], shards.unchangedMs()]).toEqual(['zone in (c,d) taken held', 0]);
  await clock.advance(1_000);
  version += 1;
  const gone = { ...(objects.get('a') as { metadata: object }) };
  const object = { ...gone, metadata: { ...gone.metadata, resourceVersion: String(version) } };
  stream?.write(`${JSON.stringify({ type: 'DELETED', object })}\n`);
  await clock.advance(0);
  expect([Object.keys(seen()), shards.unchangedMs()]).toEqual([['b', 'c'], 0]);
});

it('takes one whose selector is missing or can’t be read for one of every host', async () => {
  await put('dimmer-controller', { holder: 'x' });
  await put('newer', { holder: 'x', selector: 'zone ~ a' });
  expect(seen()).toMatchObject({ 'dimmer-controller': ' taken held', newer: ' taken held' });
});
