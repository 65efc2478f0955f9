/** What is asked of a running standalone beside its manifests: heard, done, and in no manifest. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { observeRequestedAtAnnotation, reconcileRequestedAtAnnotation } from '../../../src/api/v1alpha1/meta.ts';
import { writeAsked } from '../../../src/standalone/asked.ts';
import { manifest, StandaloneBench } from '../../support/standalone-bench.ts';

let bench: StandaloneBench;
beforeEach(async () => {
  bench = new StandaloneBench();
  bench.rename('db.yaml', manifest('1Gi'));
  await bench.start();
});
afterEach(() => bench.close());

const db = { namespace: 'default', name: 'db-1' };
const file = (): string => join(bench.state, 'asked/default_db-1.json');
const until = (isSo: () => boolean, what: string): Promise<void> =>
  vi.waitFor(() => expect([what, isSo(), bench.resource()]).toMatchObject([what, true, {}]), 20_000);
const held = () => bench.resource();

test('another try and another look are had, and the manifest stays as it is', async () => {
  await until(() => held()?.status?.conditions !== undefined, 'a status');
  await writeAsked(bench.state, db, { [reconcileRequestedAtAnnotation]: 'a' });
  await until(() => held()?.status?.lastHandledReconcileAt === 'a', 'another try');
  await writeAsked(bench.state, db, { [observeRequestedAtAnnotation]: 'b' });
  await until(() => held()?.status?.lastHandledObserveAt === 'b', 'another look');
  expect(existsSync(file())).toBe(false);
  expect(readFileSync(bench.path('db.yaml'), 'utf8')).toBe(manifest('1Gi'));
});

test('it stays asked for when the manifest changes, whose own annotations count', async () => {
  await writeAsked(bench.state, db, { [reconcileRequestedAtAnnotation]: 'a', [observeRequestedAtAnnotation]: 'b' });
  await until(() => held()?.metadata.annotations?.[reconcileRequestedAtAnnotation] === 'a', 'that it is heard');
  const named = `  name: db-1\n  annotations: { ${reconcileRequestedAtAnnotation}: mine }\n`;
  bench.rename('db.yaml', manifest('2Gi').replace('  name: db-1\n', named));
  await until(() => held()?.spec.memory === '2Gi', 'the new size');
  expect(held()?.metadata.annotations).toEqual({
    [reconcileRequestedAtAnnotation]: 'mine',
    [observeRequestedAtAnnotation]: 'b',
  });
});

test('nothing else can be asked so, of nobody else, and what is no question is passed over', async () => {
  writeFileSync(join(bench.state, 'asked/broken.json'), '{');
  await writeAsked(bench.state, { namespace: 'default', name: 'nobody' }, { [reconcileRequestedAtAnnotation]: 'x' });
  await writeAsked(bench.state, db, { 'dimmer.dev/paused': 'true', [reconcileRequestedAtAnnotation]: 'c' });
  await until(() => held()?.metadata.annotations?.[reconcileRequestedAtAnnotation] === 'c', 'that it is heard');
  expect(held()?.metadata.annotations).toEqual({ [reconcileRequestedAtAnnotation]: 'c' });
  expect(existsSync(join(bench.state, 'asked/default_nobody.json'))).toBe(false);
});
