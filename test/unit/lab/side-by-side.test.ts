/** What the labs of one machine share: each process here does what a test file does at its start and its end. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../lab/ports.ts';
import { runOk } from '../../lab/run.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dimmer-side-by-side-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const lab = (file: string): string => JSON.stringify(join(import.meta.dirname, '../../lab', file));
const inAnotherProcess = (script: string): Promise<string> =>
  runOk(process.execPath, ['--input-type=module', '-e', script], {
    env: { XDG_CACHE_HOME: directory },
    timeoutMs: 25_000,
  });

test('a port that one lab was given is given to no other, though nobody listens on it yet', async () => {
  const ours = await freePorts(300);
  const theirs = await inAnotherProcess(
    `import { freePorts } from ${lab('ports.ts')}; console.log(JSON.stringify(await freePorts(300)));`,
  );
  expect(new Set([...ours, ...(JSON.parse(theirs) as number[])]).size).toBe(600);
});

test("labs keep and read libvirt's answers at the same time", async () => {
  const libvirtCache = join(directory, 'libvirt');
  mkdirSync(join(libvirtCache, 'qemu/capabilities'), { recursive: true });
  for (const name of ['a', 'b', 'c']) {
    writeFileSync(join(libvirtCache, 'qemu/capabilities', `${name}.xml`), name.repeat(100_000));
  }
  const script = `
    import { restoreCapabilities, saveCapabilities } from ${lab('capabilities-cache.ts')};
    for (let round = 0; round < 200; round += 1) {
      saveCapabilities(${JSON.stringify(libvirtCache)});
      restoreCapabilities(${JSON.stringify(directory)} + '/restored-' + process.pid);
    }`;
  await Promise.all([inAnotherProcess(script), inAnotherProcess(script)]);
});
