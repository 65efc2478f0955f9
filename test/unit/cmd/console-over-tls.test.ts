/** `dimmer console --let-others-in`, the built program: over TLS, to whoever has the link, and to nobody else. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paths } from '../../../src/console/wire.ts';
import { StateDirectory } from '../../../src/standalone/state-directory.ts';
import { runProgram } from '../../support/built-program.ts';
import type { Answer, Asking } from '../../support/console-bench.ts';
import { openToOthers, reachedByOthers, serverCertificate } from '../../support/console/certificate.ts';
import { type RunningConsole, startConsole } from '../../support/console/running-console.ts';

const name = 'console.example';
const folder = mkdtempSync(join(tmpdir(), 'dimmer-console-tls-'));
const names = [
  { kind: 'DNS', value: name },
  { kind: 'IP', value: reachedByOthers },
] as const;
const certificate = serverCertificate(folder, name, names);
const stateDir = join(folder, 'state');

let opened: RunningConsole;
let port: number;
let code: string;
beforeAll(async () => {
  const state = new StateDirectory(stateDir);
  await state.prepare();
  await state.writeProblems([]);
  opened = await startConsole({ program: 'main', args: ['--state-dir', stateDir, ...openToOthers(certificate)] });
  const { port: shown, hash } = new URL(opened.link);
  [port, code] = [Number(shown), hash.replace('#code=', '')];
});
afterAll(async () => {
  await opened.end();
  rmSync(folder, { recursive: true });
});

/** As a browser does that trusts this CA: whoever has no certificate for the name gets no request. */
async function ask(path: string, { method = 'GET', headers = {}, body }: Asking = {}): Promise<Answer> {
  const host = `${name}:${port}`;
  const sent = request({
    ...{ host: reachedByOthers, port, path, method, ca: certificate.ca, servername: name, agent: false },
    headers: { host, ...headers },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  response.setEncoding('utf8');
  for await (const piece of response) {
    text += String(piece);
    // The stream has no end.
    if (path === paths.stream && text.includes('\n\n')) break;
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}
const changeCode = (headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  ask(paths.session, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ code }),
  });

test('its link has the name of its certificate', () => {
  expect(opened.link).toMatch(/^https:\/\/console\.example:\d+\/#code=[\w-]{43}$/);
});

describe('at an address that others reach', () => {
  test('it answers there and nowhere else', async () => {
    expect((await ask('/')).status).toBe(200);
    for (const host of ['127.0.0.1', '::1'])
      await expect(once(connect(port, host), 'connect')).rejects.toThrow(/ECONNREFUSED|EADDRNOTAVAIL/);
  });

  test('nothing is said in the clear', async () => {
    const socket = connect(port, reachedByOthers);
    socket.write(`GET / HTTP/1.1\r\nHost: ${name}:${port}\r\nConnection: close\r\n\r\n`);
    let text = '';
    try {
      for await (const piece of socket) text += String(piece);
    } catch {
      // It may be cut off.
    }
    expect(text).not.toMatch(/HTTP|html/i);
  });

  test.each<[string, ConnectionOptions]>([
    ['TLS 1.1', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['a suite with CBC', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }],
  ])('%s is not spoken', async (_, options) => {
    const socket = connectTls({ host: reachedByOthers, port, servername: name, ca: certificate.ca, ...options });
    await expect(once(socket, 'secureConnect')).rejects.toThrow();
    socket.destroy();
  });

  test.each([`127.0.0.1:PORT`, 'localhost:PORT', '[::1]:PORT', 'evil.example', 'www.console.example:PORT'])(
    'a Host of %j gets nothing: it is none of the certificate',
    async (host) => {
      const { status } = await ask('/', { headers: { host: host.replace('PORT', String(port)) } });
      expect(status).toBe(403);
    },
  );

  test('by each name of the certificate it is reached', async () => {
    for (const host of [name, name.toUpperCase(), reachedByOthers])
      expect([host, (await ask('/', { headers: { host: `${host}:${port}` } })).status]).toEqual([host, 200]);
  });

  test('the link opens it once, to its own page alone, and what it gives opens the rest', async () => {
    const origin = `https://${name}:${port}`;
    for (const strange of [`http://${name}:${port}`, `https://${name}`, `https://${reachedByOthers}:${port}`])
      expect([strange, (await changeCode({ origin: strange })).status]).toEqual([strange, 403]);
    expect((await changeCode({ origin, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    const { status, body } = await changeCode({ origin, 'sec-fetch-site': 'same-origin' });
    expect(status).toBe(200);
    expect((await changeCode({ origin })).status).toBe(401);

    const { secret } = JSON.parse(body) as { readonly secret: string };
    const keys = [{}, { authorization: 'Bearer x' }, { cookie: `secret=${secret}` }];
    for (const headers of keys) expect((await ask(paths.stream, { headers })).status).toBe(401);
    const stream = await ask(paths.stream, { headers: { authorization: `Bearer ${secret}`, origin } });
    expect([stream.status, stream.body]).toEqual([200, expect.stringMatching(/^event: hello\n/) as string]);
    // No name, no secret and no request is told anywhere else.
    expect(
      opened
        .output()
        .split('\n')
        .filter((line) => line.trim() !== ''),
    ).toEqual([
      'Open this link within a minute; it works once:',
      `  ${opened.link}`,
      'Enter prints another, Ctrl-C ends the console.',
    ]);
  });
});

describe('it does not begin', () => {
  const { certFile, keyFile } = certificate;
  const other = serverCertificate(folder, 'other.example', [{ kind: 'IP', value: '198.51.100.7' }]);
  const listen = ['--listen', reachedByOthers];
  const meant = [...listen, '--let-others-in'];
  const [cert, key] = [
    ['--tls-cert-file', certFile],
    ['--tls-private-key-file', keyFile],
  ];
  const missing =
    '--listen: what leaves this machine is encrypted: --tls-cert-file and --tls-private-key-file are missing';
  test.each<[string, readonly (string | undefined)[], string]>([
    ['unless it is meant', [...listen, ...cert, ...key], 'others reach .*, too; --let-others-in says that it is meant'],
    ['without TLS', meant, missing],
    ['without a certificate', [...meant, ...key], missing],
    ['without its key', [...meant, ...cert], missing],
    ['with the key of another', [...meant, ...cert, '--tls-private-key-file', other.keyFile], 'do not fit together: '],
    ['with what is no certificate', [...meant, '--tls-cert-file', keyFile, ...key], 'do not fit together: '],
    [
      'with a certificate that no browser would take for it',
      openToOthers(other),
      `--tls-cert-file: the certificate is for no name, nor for ${reachedByOthers.replaceAll('.', '\\.')}: `,
    ],
  ])('%s', async (_, options, problem) => {
    const argv = ['console', '--state-dir', stateDir, ...options].filter((word) => word !== undefined);
    const { exit, stdout, stderr } = await runProgram(argv, { timeoutMs: 20_000 });
    expect([exit, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(new RegExp(`^dimmer console: .*${problem}`));
  });

  // All of 127.0.0.0/8 is reached by every user of the machine, and looked at by no rule of ours but this.
  test.each(['127.0.0.1', '127.0.0.2', '::1', '0.0.0.0', '::'])('at %s without being meant', async (address) => {
    const { exit, stderr } = await runProgram(['console', '--state-dir', stateDir, '--listen', address], {
      timeoutMs: 20_000,
    });
    expect([exit, stderr]).toEqual([
      1,
      `dimmer console: --listen: others reach ${address}, too; --let-others-in says that it is meant\n`,
    ]);
  });
});
