/** What a person asks for goes onto what they saw; what the page hears of it. Over real connections. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ConsoleEvent, paths } from '../../../src/console/wire.ts';
import { ConsoleBench, seenAt, streamOf } from '../../support/console-bench.ts';

let bench: ConsoleBench;
let secret: string;
beforeEach(async () => {
  bench = await new ConsoleBench().start();
  secret = await bench.session();
});
afterEach(() => bench.close());

const size = { namespace: 't', name: 'db', memory: '4Gi', resourceVersion: '1', dryRun: false, force: false };
const setMemory = (more: object = {}) => bench.post(paths.memory, { ...size, ...more }, secret);

describe('a size', () => {
  test('is asked about, and then written, onto what was seen', async () => {
    expect(await setMemory({ dryRun: true })).toEqual({ status: 200, answer: { outcome: 'set', by: 'here' } });
    expect(await setMemory()).toEqual({ status: 200, answer: { outcome: 'set', by: 'here' } });
    expect(bench.backend.asked).toEqual(['4Gi onto 1, dry run', '4Gi onto 1']);
  });

  test('is no conflict with a status that was written meanwhile', async () => {
    bench.backend.board.put(seenAt('2'));
    expect((await setMemory()).answer).toEqual({ outcome: 'set', by: 'here' });
    expect(bench.backend.asked).toEqual(['4Gi onto 1', '4Gi onto 2']);
  });

  test("is not put over somebody else's: both values come back", async () => {
    bench.backend.board.put(seenAt('2', '3Gi', { generation: 5 }));
    const { answer } = await setMemory();
    expect(answer).toMatchObject({ outcome: 'changed', item: { object: { spec: { memory: '3Gi' } } } });
    expect(bench.backend.asked).toEqual(['4Gi onto 1']);
  });

  test.each([
    ['a version that nobody knows', { resourceVersion: '77' }, { spec: { memory: '2Gi' } }],
    ['a resource that is gone', { name: 'gone' }, null],
  ])('decided by %s is not written', async (_, more, object) => {
    const { answer } = await setMemory(more);
    expect(answer).toMatchObject({ outcome: 'changed', item: object === null ? null : { object } });
    expect(bench.backend.asked).toEqual([]);
  });

  test('of a resource that GitOps owns is written by who insists', async () => {
    bench.backend.board.put(seenAt('2', '2Gi', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }));
    const writers = [{ what: 'Flux manages it (kustomize.toolkit.fluxcd.io/name: apps)' }];
    const seen = { resourceVersion: '2' };
    expect((await setMemory({ ...seen, dryRun: true })).answer).toEqual({ outcome: 'owned', writers });
    expect((await setMemory(seen)).answer).toEqual({ outcome: 'owned', writers });
    expect(bench.backend.asked).toEqual([]);
    expect((await setMemory({ ...seen, force: true })).answer).toEqual({ outcome: 'set', by: 'here' });
  });

  test('goes with a policy where a person has chosen one, and with no word that is none', async () => {
    expect((await setMemory({ shrinkPolicy: 'Replace' })).answer).toEqual({ outcome: 'set', by: 'here' });
    expect(bench.backend.asked).toEqual(['4Gi with Replace onto 1']);
    expect((await setMemory({ shrinkPolicy: 'Whatever' })).status).toBe(400);
    expect((await setMemory({ growPolicy: 'Whole' })).status).toBe(400);
  });

  test('whose policy somebody else writes is warned of only where the policy is to be another', async () => {
    const fieldsV1 = { 'f:spec': { 'f:shrinkPolicy': {} } };
    bench.backend.board.put(
      seenAt('2', '2Gi', { managedFields: [{ manager: 'vm-operator', operation: 'Update', fieldsV1 }] }),
    );
    const seen = { resourceVersion: '2' };
    expect((await setMemory(seen)).answer).toEqual({ outcome: 'set', by: 'here' });
    expect((await setMemory({ ...seen, shrinkPolicy: 'Nearest' })).answer).toEqual({
      outcome: 'owned',
      writers: [{ what: 'vm-operator writes its shrinkPolicy' }],
    });
    expect(bench.backend.asked).toEqual(['4Gi onto 2']);
  });

  test('that is none is refused, and what is refused is told in the words of who refuses it', async () => {
    expect((await setMemory({ memory: 'much' })).answer).toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining("'much' is not a quantity") as string,
    });
    bench.backend.answer = { outcome: 'refused', message: 'spec.memory: below boot memory' };
    expect((await setMemory()).answer).toEqual(bench.backend.answer);
  });
});

test.each(['pause', 'resume', 'retry', 'observe'])('%s is passed on, and nothing else', async (what) => {
  const wish = { namespace: 't', name: 'db', what };
  expect(await bench.post(paths.annotation, wish, secret)).toEqual({ status: 200, answer: { outcome: 'set' } });
  expect(bench.backend.asked).toEqual([what]);
  expect((await bench.post(paths.annotation, { ...wish, what: 'delete' }, secret)).status).toBe(400);
  expect((await bench.post(paths.annotation, { ...wish, name: 'no' }, secret)).status).toBe(404);
});

describe('the events', () => {
  /** What is heard until `event` comes. */
  async function hear(until: string, meanwhile: () => void): Promise<readonly ConsoleEvent[]> {
    const heard: ConsoleEvent[] = [];
    const ending = new AbortController();
    for await (const event of streamOf(bench.port, secret, ending.signal)) {
      heard.push(event);
      if (event.event === 'trouble' && heard.filter((each) => each.event === 'trouble').length === 1) meanwhile();
      if (event.event === until) break;
    }
    ending.abort();
    return heard;
  }

  test('begin with all that is known, without what only conflicts need', async () => {
    const heard = await hear('trouble', () => undefined);
    expect(heard.map(({ event }) => event)).toEqual(['hello', 'connection', 'resources', 'hosts', 'trouble']);
    expect(heard[2]?.data).toMatchObject({ items: [{ object: { metadata: { name: 'db' } }, writers: [] }] });
    expect(JSON.stringify(heard)).not.toContain('managedFields');
  });

  test('go on with every change, in order', async () => {
    const { board } = bench.backend;
    const heard = await hear('gone', () => {
      board.put(seenAt('2', '3Gi'));
      board.put(seenAt('2', '3Gi'));
      board.setConnection('lost', 'away');
      board.setConnection('live');
      board.setHosts(null);
      board.remove('t', 'db');
    });
    expect(heard.slice(5).map(({ event, data }) => [event, JSON.stringify(data).slice(0, 36)])).toEqual([
      ['resource', '{"item":{"object":{"apiVersion":"dim'],
      ['connection', '{"state":"lost","message":"away"}'],
      ['connection', '{"state":"live","message":""}'],
      ['hosts', '{"items":null}'],
      ['gone', '{"namespace":"t","name":"db","uid":"'],
    ]);
  });

  test('end with the console', async () => {
    const heard = hear('never', () => void bench.close());
    await expect(heard).resolves.toHaveLength(5);
  });
});
