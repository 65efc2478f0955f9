/** The first command of README.md, as far as it isn't the installation: it ends well, and in time. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builtMain } from '../../support/built-program.ts';
import { documented } from '../../support/documents.ts';

const left = (): readonly string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('dimmer-demo-'));
// What `npm run demo` does once the program is built.
const main = join(builtMain, '../../../test/demo/main.ts');

test('npm run demo -- --console prints a link, and leaves nothing when it ends', async () => {
  const before = left();
  const child = spawn(process.execPath, [main, '--console'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const piece of child.stdout) {
    text += String(piece);
    if (/http:\/\/127\.0\.0\.1:\d+\/#code=\S+\n/.test(text)) child.kill();
  }
  expect([child.exitCode ?? (await once(child, 'exit'))[0], left()]).toEqual([0, before]);
}, 90_000);

test('npm run demo tells its story to the end, and leaves nothing', () => {
  expect(documented('README.md', 'npm ci && npm run demo').text).toBe('npm ci && npm run demo');
  const before = left();
  const { status, stdout, stderr } = spawnSync(process.execPath, [main], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('Everything came true');
  expect(left()).toEqual(before);
}, 90_000);
