/** `dimmer console`: its command line, and that it opens nothing to others by itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { StateDirectory } from '../../../src/standalone/state-directory.ts';
import { builtMain, runProgram } from '../../support/built-program.ts';
import { startConsole } from '../../support/console/running-console.ts';

const folder = mkdtempSync(join(tmpdir(), 'dimmer-console-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  [['--listen', '0.0.0.0'], '--listen: others reach 0.0.0.0, too; --let-others-in says that it is meant'],
  [['--listen', 'example', '--let-others-in'], "--listen: 'example' is not an IP address"],
  [
    ['--listen', '0.0.0.0', '--let-others-in'],
    '--listen: what leaves this machine is encrypted: --tls-cert-file and --tls-private-key-file are missing',
  ],
  [['--let-others-in'], '--listen is missing: only its address needs that'],
  [['--port', '70000'], "--port: '70000' is not a port"],
  [['--state-dir', folder], `${folder} is no state directory of 'dimmer standalone' (--state-dir says where it is)`],
])('%j is refused', async (argv, problem) => {
  expect(await runProgram(['console', ...argv], { timeoutMs: 20_000 })).toEqual({
    exit: 1,
    stdout: '',
    stderr: `dimmer console: ${problem}\n`,
  });
});

test('listens at 127.0.0.1 and ::1, and at no other address of this machine; loads what speaks to no cluster', async () => {
  const state = new StateDirectory(join(folder, 'alone'));
  await state.prepare();
  await state.writeProblems([]);
  const preload = pathToFileURL(join(import.meta.dirname, '../../support/loaded-modules.ts')).href;
  const env = { NODE_OPTIONS: `--import=${preload}` };
  const running = await startConsole({ program: 'main', args: ['--state-dir', state.path], env });
  try {
    const port = Number(new URL(running.link).port);
    const addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
    const answers = await Promise.all(
      [...new Set(['127.0.0.1', ...addresses, '127.0.0.2'])].map(async (address) => {
        const socket = connect(port, address);
        const isThere = await once(socket, 'connect').then(
          () => true,
          () => false,
        );
        socket.destroy();
        return [address, isThere];
      }),
    );
    for (const [address, isThere] of answers)
      expect([address, isThere]).toEqual([address, address === '127.0.0.1' || address === '::1']);
  } finally {
    await running.end();
  }
  const line =
    running
      .output()
      .split('\n')
      .find((text) => text.includes('loaded modules')) ?? '{}';
  const { modules, packages } = JSON.parse(line) as Record<'modules' | 'packages', readonly string[]>;
  expect(modules).toContain('console/standalone/standalone-console.ts');
  const foreign = /^(agent|controllers|drivers|kubernetes|libvirt|pki|console\/(cluster|page))\//;
  expect(modules.filter((path) => foreign.test(path))).toEqual([]);
  expect(packages).toContain('fastify');
  const others = ['@bufbuild/cel', '@kubernetes/client-node', 'fast-xml-parser', 'preact', 'undici', 'xmlbuilder2'];
  expect(packages.filter((name) => others.includes(name))).toEqual([]);
});

test('prints a link, another for each Enter, and ends when it is told to; a file gets none', async () => {
  const state = new StateDirectory(join(folder, 'state'));
  await state.prepare();
  await state.writeProblems([]);
  const argv = [builtMain, 'console', '--state-dir', state.path];
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  const links = () => new Set(text.match(/http:\/\/127\.0\.0\.1:\d+\/#code=[\w-]{43}\n/g) ?? []);
  for await (const piece of child.stdout) {
    text += String(piece);
    if (links().size === 1) child.stdin.write('\n');
    else if (links().size === 2) child.kill();
  }
  expect([child.exitCode ?? (await once(child, 'exit'))[0], links().size]).toEqual([0, 2]);

  const file = join(folder, 'out');
  const out = openSync(file, 'w');
  const other = spawn(process.execPath, argv, { stdio: ['ignore', out, 'pipe'] });
  closeSync(out);
  let told = '';
  for await (const piece of other.stderr ?? []) told += String(piece);
  expect(told).toBe('dimmer console: the link is for a terminal: a file would keep it\n');
  expect(readFileSync(file, 'utf8')).toBe('');
});
