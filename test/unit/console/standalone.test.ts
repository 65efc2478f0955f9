/** The console over a real state directory and real manifests, with a controller at work on a simulated host. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Desk } from '../../../src/console/desk.ts';
import { StandaloneConsole } from '../../../src/console/standalone/standalone-console.ts';
import type { ConsoleEvent, MemoryRequest } from '../../../src/console/wire.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { StandaloneBackend } from '../../../src/operator/standalone-backend.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { StandaloneBench, vmUuid } from '../../support/standalone-bench.ts';

let bench: StandaloneBench;
let console: StandaloneConsole;
let desk: Desk;
let heard: ConsoleEvent[] = [];

/** As a careful person keeps it. */
const kept = (memory: string, more = '') => `# the database
apiVersion: dimmer.dev/v1alpha1
kind: VirtualMachineMemory
metadata: { name: db-1 } # who
spec:
${more}  virtualMachine: { uuid: ${vmUuid} }
  memory:   ${memory}   # since the summer
`;

beforeEach(async () => {
  bench = new StandaloneBench([{ uuid: vmUuid, name: 'db', boot: gib(1), slots: 8, maxMemory: gib(8) }]);
  bench.rename('db.yaml', kept('2Gi'));
  await bench.start();
  await until(() => bench.reason() === 'Converged', 'what is wanted');
  console = new StandaloneConsole({
    backend: new StandaloneBackend(bench.state, null),
    version: '0',
    clock: systemClock,
  });
  desk = new Desk(console);
  heard = [];
  await console.start();
  console.board.subscribe((event) => heard.push(event));
  await until(() => console.board.find('default', 'db-1')?.resource.spec.memory === '2Gi', 'what is there');
});
afterEach(async () => {
  await console.close();
  await bench.close();
});

const until = (isSo: () => boolean, what: string): Promise<void> =>
  vi.waitFor(
    () =>
      expect({ what, isSo: isSo(), resource: bench.resource(), heard: heard.slice(-2) }).toMatchObject({
        what,
        isSo: true,
      }),
    20_000,
  );
const manifest = () => readFileSync(bench.path('db.yaml'), 'utf8');
const size = (memory: string, more: Partial<MemoryRequest> = {}): MemoryRequest => ({
  ...{ namespace: 'default', name: 'db-1', memory, dryRun: false, force: false },
  resourceVersion: console.board.find('default', 'db-1')?.resource.metadata.resourceVersion ?? '',
  ...more,
});
const wish = (what: 'pause' | 'resume' | 'retry' | 'observe') =>
  desk.wish({ namespace: 'default', name: 'db-1', what });

test('shows what is there, and follows it until it is so', async () => {
  expect(console.board.snapshot().map(({ event }) => event)).toEqual([
    'hello',
    'connection',
    'resources',
    'hosts',
    'trouble',
  ]);
  expect(console.board.snapshot()[0]).toMatchObject({ data: { place: 'standalone', canEdit: true } });
  expect(await desk.setMemory(size('3Gi'))).toEqual({ outcome: 'set', by: 'in db.yaml' });
  await until(() => console.board.find('default', 'db-1')?.resource.status?.memory?.current === '3Gi', 'the new size');
  expect(heard.filter(({ event }) => event === 'resource').length).toBeGreaterThan(1);
  const events = await desk.events({ namespace: 'default', name: 'db-1' });
  expect(events.items.at(-1)).toMatchObject({ reason: 'Converged' });
});

describe('the manifest', () => {
  test('keeps its comments and its order, and is only asked about by a dry run', async () => {
    expect(await desk.setMemory(size('3Gi', { dryRun: true }))).toEqual({ outcome: 'set', by: 'in db.yaml' });
    expect(manifest()).toBe(kept('2Gi'));
    expect(await desk.setMemory(size('3Gi'))).toEqual({ outcome: 'set', by: 'in db.yaml' });
    expect(manifest()).toBe(kept('3Gi'));
  });

  test("that somebody has changed meanwhile isn't written over", async () => {
    const seen = size('3Gi');
    bench.rename('db.yaml', kept('4Gi'));
    // Whether the new one is known yet or not.
    expect(await desk.setMemory(seen)).toMatchObject({ outcome: 'changed' });
    await until(() => bench.resource()?.spec.memory === '4Gi', 'the new manifest');
    expect(await desk.setMemory(seen)).toMatchObject({ outcome: 'changed' });
    expect(manifest()).toBe(kept('4Gi'));
  });

  test('gets a size and its policy together, or neither', async () => {
    const onBoard = () => console.board.find('default', 'db-1')?.resource;
    const whole = '  growPolicy: Whole\n';
    // One module of 1 GiB: none of them makes 1280Mi.
    for (const memory of ['1Gi', '2Gi']) {
      bench.rename('db.yaml', kept(memory, whole));
      await until(() => onBoard()?.status?.memory?.current === memory && bench.reason() === 'Converged', memory);
    }
    await until(() => onBoard()?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True', 'ready');
    expect(await desk.setMemory(size('1280Mi'))).toMatchObject({ outcome: 'refused' });
    expect(manifest()).toBe(kept('2Gi', whole));
    const seen = size('1280Mi', { shrinkPolicy: 'Replace' });
    const theirs = `  shrinkPolicy: Nearest\n${whole}`;
    bench.rename('db.yaml', kept('2Gi', theirs));
    expect(await desk.setMemory(seen)).toMatchObject({ outcome: 'changed' });
    expect(manifest()).toBe(kept('2Gi', theirs));
    await until(() => onBoard()?.spec.shrinkPolicy === 'Nearest', 'their policy');
    const set = await desk.setMemory(size('1280Mi', { shrinkPolicy: 'Replace' }));
    expect(set).toEqual({ outcome: 'set', by: 'in db.yaml' });
    expect(manifest()).toBe(kept('1280Mi', `  shrinkPolicy: Replace\n${whole}`));
    await until(() => bench.resource()?.status?.memory?.current === '1280Mi', 'what only Replace reaches');
  });

  test('gets no size that can not be had', async () => {
    const refused = { outcome: 'refused', message: expect.stringContaining('default/db-1: ') as string };
    for (const dryRun of [true, false]) {
      expect(await desk.setMemory(size('512Mi', { dryRun }))).toMatchObject(refused);
      expect(await desk.setMemory(size('64Gi', { dryRun }))).toMatchObject(refused);
    }
    expect(manifest()).toBe(kept('2Gi'));
  });

  test('that can not be found or read says so', async () => {
    renameSync(bench.manifests, `${bench.manifests}-away`);
    await expect(desk.setMemory(size('3Gi'))).rejects.toThrow(/manifest/);
    renameSync(`${bench.manifests}-away`, bench.manifests);
  });
});

test('a pause is written, and taken back; another try and look are asked for beside the manifest', async () => {
  expect(await wish('pause')).toEqual({ outcome: 'set' });
  expect(manifest()).toBe(kept('2Gi', '  paused: true\n'));
  await until(() => console.board.find('default', 'db-1')?.resource.spec.paused === true, 'the pause');
  expect(await wish('resume')).toEqual({ outcome: 'set' });
  expect(manifest()).toBe(kept('2Gi', '  paused: false\n'));
  for (const what of ['retry', 'observe'] as const)
    expect([what, await wish(what)]).toEqual([what, { outcome: 'set' }]);
  await until(() => bench.resource()?.status?.lastHandledReconcileAt !== undefined, 'another try');
  await until(() => bench.resource()?.status?.lastHandledObserveAt !== undefined, 'another look');
  expect(manifest()).toBe(kept('2Gi', '  paused: false\n'));
});

test('where nobody follows the manifests any more, that is told, and nobody is asked', async () => {
  await bench.stop();
  // As one that was killed leaves it.
  writeFileSync(join(bench.state, 'holder'), String(2 ** 30));
  await until(
    () =>
      heard.some(
        ({ event, data }) => event === 'trouble' && data.note?.includes("no 'dimmer standalone' runs") === true,
      ),
    'the note',
  );
  expect(await wish('retry')).toMatchObject({ outcome: 'refused', message: expect.stringContaining('no ') as string });
});

test('a state directory that goes away is lost, and found again', async () => {
  renameSync(bench.state, `${bench.state}-away`);
  await until(() => heard.some(({ event, data }) => event === 'connection' && data.state === 'lost'), 'the loss');
  expect(console.board.find('default', 'db-1')).not.toBeNull();
  renameSync(`${bench.state}-away`, bench.state);
  await until(
    () =>
      heard.findLast(({ event }) => event === 'connection')?.data !== undefined &&
      JSON.stringify(heard.findLast(({ event }) => event === 'connection')).includes('live'),
    'its return',
  );
});
