/** `dimmer agent --driver simulated` as a program: all that an agent does, on a machine without libvirt. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import {
  claim,
  codeOf,
  collectEvents,
  eventually,
  observedUntil,
  plugRequest,
  unplugRequest,
  valueOf,
} from '../../contract/bench.ts';
import { type AgentPki, controllerUri, createAgentPki } from './agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import { askApi } from './api-client.ts';

const simulated = '--driver=simulated';
const uuidOf = (number: number) => `00000000-0000-4000-8000-00000000000${number}`;

describe('dimmer agent --driver simulated, the program', () => {
  let directory: string;
  let pki: AgentPki;
  const running: AgentProcess[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dimmer-simulated-'));
    pki = await createAgentPki(directory);
  });
  afterEach(async () => {
    for (const agent of running.splice(0)) await agent.end('SIGKILL');
  });
  afterAll(() => {
    for (const tls of [pki.agentTls, pki.clientTls]) tls.close();
    rmSync(directory, { recursive: true });
  });

  const start = async (
    flags: readonly string[],
    options?: Parameters<typeof startAgentProcess>[2],
  ): Promise<AgentProcess> => {
    const agent = await startAgentProcess(flags, pki, options);
    running.push(agent);
    return agent;
  };
  const metricsOf = async ({ port }: AgentProcess): Promise<string> => {
    const read = (name: string) => readFileSync(join(pki.pki.directory, name));
    const credentials = { ca: pki.pki.caPem, cert: read('controller.crt'), key: read('controller.key') };
    return (await askApi(port, credentials, '/metrics')).body;
  };
  const namesOf = async ({ client }: AgentProcess): Promise<readonly string[]> =>
    valueOf(await client.listDomains()).map(({ name }) => name);

  test('plugs, unplugs, tells, records and ends as an agent on libvirt does', async () => {
    const agent = await start([simulated]);
    const { client, lines } = agent;
    const uuid = uuidOf(1);
    const watching = collectEvents(client);
    await eventually('the stream stands', () => (watching.events.length > 0 ? true : null));

    const { revision } = valueOf(await client.observe(uuid));
    const plugged = valueOf(await client.plug(uuid, revision, plugRequest(0, mib(512))));
    valueOf(await client.unplug(uuid, plugged.revision, unplugRequest(0)));
    await observedUntil({ host: client, uuid }, 'the module is gone', ({ layout }) => layout?.modules.length === 0);
    await eventually('the removal is told', () =>
      watching.events.some((event) => event.kind === 'module-removed' && event.uuid === uuid) ? true : null,
    );
    expect(watching.events.slice(0, 2)).toMatchObject([{ kind: 'reset' }, { kind: 'module-added', uuid }]);

    const whose = { audit: true, client: controllerUri, uuid, slot: 0, objectUid: claim.objectUid };
    expect(lines.filter((line) => line['audit'] === true)).toEqual([
      expect.objectContaining({ ...whose, operation: 'plug', from: gib(1), to: gib(1.5), result: 'done' }),
      expect.objectContaining({ ...whose, operation: 'unplug', from: gib(1.5), to: gib(1), result: 'accepted' }),
    ]);
    const metrics = await metricsOf(agent);
    expect(metrics).toContain('dimmer_agent_operation_duration_seconds_count{operation="plug",outcome="ok"} 1');
    expect(metrics).not.toContain('dimmer_agent_libvirt');
    // The stream is still open.
    expect(await agent.end('SIGTERM')).toBe(0);
    watching.stop();
    expect(lines.at(-1)).toMatchObject({ msg: 'agent is stopping', pendingOperations: 0 });
  });

  test('has the VMs that it is told to have, and starts them anew', async () => {
    const first = await start([simulated]);
    expect(await namesOf(first)).toEqual(['accepting-1', 'refusing-2', 'silent-3', 'using-4']);
    const second = await start([simulated, '--simulated-vms=4-6']);
    expect(await namesOf(second)).toEqual(['using-4', 'accepting-5', 'refusing-6']);
    const [one, same] = await Promise.all([first, second].map(({ client }) => client.observe(uuidOf(4))));
    expect(one?.ok === true && same?.ok === true && one.value.runtimeId !== same.value.runtimeId).toBe(true);
  });

  test('serves no VM that --allow-domains leaves out', async () => {
    const agent = await start([simulated, '--allow-domains=accepting-*']);
    expect(await namesOf(agent)).toEqual(['accepting-1']);
    expect(valueOf(await agent.client.facts()).virtualMachines).toBe(1);
    expect(codeOf(await agent.client.observe(uuidOf(2)))).toBe('not-found');
    expect(codeOf(await agent.client.plug(uuidOf(2), 'any', plugRequest(0, mib(512))))).toBe('not-found');
  });

  test('loads no driver but the one that is chosen', async () => {
    const preload = pathToFileURL(join(import.meta.dirname, '../../support/loaded-modules.ts')).href;
    const loadedBy = async (flags: readonly string[]): Promise<readonly string[]> => {
      const env = { NODE_OPTIONS: `--import=${preload}` };
      const agent = await start(flags, { env, isReadyWhen: 'agent is listening' });
      expect(await agent.end('SIGTERM')).toBe(0);
      return agent.lines.at(-1)?.['modules'] as string[];
    };
    // The command line is read before the driver is known: uri.ts imports nothing.
    const ofLibvirt = (path: string) => path.startsWith('libvirt/') && path !== 'libvirt/rpc/uri.ts';
    const ofSimulation = (path: string) => path.startsWith('host/simulated/') || path.startsWith('planner/');
    const withSimulated = await loadedBy([simulated]);
    expect(withSimulated).toContain('host/simulated/simulated-host.ts');
    expect(withSimulated.filter(ofLibvirt)).toEqual([]);
    const withLibvirt = await loadedBy(['--libvirt-uri=qemu:///system?socket=/nonexistent/socket']);
    expect(withLibvirt).toContain('libvirt/rpc/session.ts');
    expect(withLibvirt.filter(ofSimulation)).toEqual([]);
    // Long texts for people are for `dimmer status`.
    expect([...withSimulated, ...withLibvirt].filter((path) => path.startsWith('view/'))).toEqual([]);
  });
});
