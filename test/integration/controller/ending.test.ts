/** What ends a look at a host that takes a connection and never answers: real sockets, and the program as it is built. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { waitFor } from '../../lab/wait.ts';
import { builtMain } from '../../support/built-program.ts';
import { FakeApiServer } from '../../unit/kubernetes/support/fake-api-server.ts';
import { type AgentPki, createAgentPki } from '../agent/agent-fixture.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

describe('a host that takes every request and answers none', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dimmer-ending-'));
  let agentPki: AgentPki;
  let silent: Server;
  let address: string;
  /** Paths of the requests that it has, and of those whose connection has ended. */
  const asked: string[] = [];
  const ended: string[] = [];

  beforeAll(async () => {
    agentPki = await createAgentPki(directory);
    const { cert, key } = agentPki.agentTls.current();
    silent = createServer({ cert, key }, (request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      response.on('close', () => ended.push(path));
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    address = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    for (const tls of [agentPki.agentTls, agentPki.clientTls]) tls.close();
    silent.closeAllConnections();
    silent.close();
    rmSync(directory, { recursive: true });
  });

  test('a look that is given up ends at once, and its connection with it', async () => {
    const host = createHttpsHost({ address, tls: agentPki.clientTls, clock: systemClock });
    const ending = new AbortController();
    const answer = host.observe(uuid, ending.signal);
    const path = `/v1/domains/${uuid}/memory`;
    await waitFor(() => asked.includes(path), { what: 'the request to arrive', timeoutMs: 4_000 });
    const startedMs = performance.now();
    ending.abort();
    expect(await answer).toMatchObject({ ok: false, error: { code: 'timeout' } });
    // Far less than the 5 s that a look may take.
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await waitFor(() => ended.includes(path), { what: 'the connection to end', timeoutMs: 1_000 });
    expect(await host.observe(uuid, ending.signal)).toMatchObject({ ok: false, error: { code: 'timeout' } });
    expect(asked.filter((other) => other === path)).toHaveLength(1);
    await host.close();
  });

  test('looks that travel together end, and their connection with them, once all have given up', async () => {
    const host = createHttpsHost({ address, tls: agentPki.clientTls, clock: systemClock });
    const ending = [new AbortController(), new AbortController()];
    const uuids = [uuid, uuid.replace(/.$/, 'f')];
    const answers = ending.map(({ signal }, index) => host.observe(uuids[index] ?? '', signal));
    const path = `/v1/domains?view=memory&uuids=${uuids.join(',')}`;
    await waitFor(() => asked.includes(path), { what: 'the request to arrive', timeoutMs: 20_000 });
    ending[0]?.abort();
    expect(await answers[0]).toMatchObject({ ok: false, error: { code: 'timeout' } });
    expect(ended).not.toContain(path);
    ending[1]?.abort();
    expect(await answers[1]).toMatchObject({ ok: false, error: { code: 'timeout' } });
    await waitFor(() => ended.includes(path), { what: 'the connection to end', timeoutMs: 4_000 });
    await host.close();
  });

  test('SIGTERM ends the controller although it is asking such a host', async () => {
    const api = await FakeApiServer.start();
    const kinds: Readonly<Record<string, object>> = {
      hypervisorhosts: { metadata: metadata('silent'), spec: { address, allowedNamespaces: { from: 'All' } } },
      namespaces: { metadata: metadata('kube-system') },
      virtualmachinememories: {
        metadata: { ...metadata('vm'), namespace: 'kube-system' },
        spec: { virtualMachine: { uuid }, hostRef: { name: 'silent' }, memory: '2Gi' },
      },
    };
    api.lists.push(({ path, reply }) => {
      const item = kinds[path.split('/').at(-1) ?? ''];
      reply(200, { kind: 'List', metadata: { resourceVersion: '10' }, items: item === undefined ? [] : [item] });
    });
    // A watch that goes on.
    api.watches.push(({ write }) => write('\n'));
    const { pki } = agentPki;
    const kubeconfig = join(directory, 'kubeconfig');
    // Plain HTTP is only spoken to where nobody asks for TLS to be verified.
    const cluster = { name: 'it', cluster: { server: api.url, 'insecure-skip-tls-verify': true } };
    const config = { clusters: [cluster], users: [{ name: 'it', user: { token: 'any' } }] };
    const context = { name: 'it', context: { cluster: 'it', user: 'it' } };
    writeFileSync(kubeconfig, JSON.stringify({ ...config, contexts: [context], 'current-context': 'it' }));
    const child = spawn(
      process.execPath,
      [
        ...[builtMain, 'controller', '--kubeconfig', kubeconfig, '--agent-ca-file', pki.caFile],
        ...['--agent-client-cert-file', join(pki.directory, 'controller.crt')],
        ...['--agent-client-key-file', join(pki.directory, 'controller.key')],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    try {
      const lines: string[] = [];
      createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
      const exited = once(child, 'exit') as Promise<[number | null]>;
      asked.length = 0;
      const isAsked = (): boolean => ['/v1/host', `/v1/domains/${uuid}/memory`].every((path) => asked.includes(path));
      await waitFor(isAsked, { what: 'the host to be asked', timeoutMs: 20_000, details: () => lines.join('\n') });
      const startedMs = performance.now();
      child.kill('SIGTERM');
      expect((await exited)[0], lines.join('\n')).toBe(0);
      // The answers would be overdue after 5 s.
      expect(performance.now() - startedMs).toBeLessThan(4_000);
      // Nothing is said of the host because of that.
      expect(api.written).toEqual([]);
    } finally {
      child.kill('SIGKILL');
      await api.close();
    }
  });
});

function metadata(name: string): object {
  return {
    ...{ name, uid: `uid-${name}`, resourceVersion: '5', generation: 1 },
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
}
