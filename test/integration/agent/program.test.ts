/** `dimmer agent` as a program, the way its unit starts it: ready, served, killed and restarted, ended. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import { stateNamespace } from '../../../src/libvirt/xml/operation-state.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { unitEnvironment } from '../../bench/agent/program.ts';
import { claim, codeOf, isUp, observedUntil, plugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { runProgram } from '../../support/built-program.ts';
import { type AgentPki, controllerUri, createAgentPki } from './agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';

await describeLab(
  'dimmer agent, the program',
  () => {
    let lab: Lab;
    let pki: AgentPki;
    let uriFlag: string;
    let running: AgentProcess | null = null;

    beforeAll(async () => {
      lab = await startLab({ guests: [{ kind: 'accepting' }] });
      pki = await createAgentPki(lab.hypervisor.directory);
      uriFlag = `--libvirt-uri=qemu:///system?socket=${lab.hypervisor.socketPath}`;
    });
    afterEach(async () => {
      await running?.end('SIGKILL');
      running = null;
    });
    afterAll(() => lab.stop());

    /** Starts the program as its unit does. */
    const start = async (): Promise<AgentProcess> => {
      running = await startAgentProcess([uriFlag], pki, { env: unitEnvironment() });
      return running;
    };

    test('says when it is ready, plugs, survives a kill with claim and module, and ends with 0 on SIGTERM', async () => {
      const { uuid } = lab.guest('accepting');
      const first = await start();
      const { client, port } = first;
      const { revision } = await observedUntil({ host: client, uuid }, 'the guest is up', isUp);
      valueOf(await client.plug(uuid, revision, plugRequest(0, mib(128))));
      expect(first.lines).toContainEqual(
        expect.objectContaining({ audit: true, operation: 'plug', client: controllerUri, uuid, result: 'done' }),
      );
      await first.end('SIGKILL');
      const late = createHttpsHost({ address: `https://127.0.0.1:${port}`, tls: pki.clientTls, clock: systemClock });
      expect(codeOf(await late.observe(uuid))).toBe('unreachable');
      await late.close();

      const second = await start();
      const after = valueOf(await second.client.observe(uuid));
      expect(after.claim).toEqual(claim);
      expect(after.layout?.modules).toMatchObject([{ slot: 0, size: mib(128), state: 'Plugged' }]);
      expect(await second.end('SIGTERM')).toBe(0);
    });

    test('release ends a claim', async () => {
      const { uuid } = lab.guest('accepting');
      const release = () => runProgram(['agent', 'release', uuid, uriFlag]);
      const first = await release();
      expect(first.exit, first.stderr).toBe(0);
      expect(first.stdout).toContain(claim.objectUid);
      const metadata = await lab.hypervisor.virsh(['metadata', uuid, stateNamespace, '--live']);
      expect(metadata.stdout).not.toContain('claim');
      expect((await release()).stdout).toContain('is not claimed');
    });

    test('is small', async () => {
      const { pid } = await start();
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const residentKiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
      // With 40 VMs the aim is 80 MiB; the benchmark measures it.
      expect(residentKiB).toBeLessThan(90 * 1024);
    });
  },
  ['hypervisor'],
);
