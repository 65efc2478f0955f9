/** `dimmer agent` as a program: ready, served, killed and restarted, ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHttpsHost } from '../../../src/host/https-host.ts';
import { stateNamespace } from '../../../src/libvirt/state-xml.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { claim, codeOf, observedUntil, plugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { type AgentPki, controllerUri, createAgentPki } from './agent-fixture.ts';

const main = join(import.meta.dirname, '../../../src/cmd/main.ts');
type Line = Record<string, unknown>;

await describeLab(
  'dimmer agent, the program',
  () => {
    let lab: Lab;
    let pki: AgentPki;
    let flags: string[];
    let running: ChildProcess | null = null;

    beforeAll(async () => {
      lab = await startLab({ guests: [{ kind: 'accepting' }] });
      pki = await createAgentPki(lab.hypervisor.directory);
      const { directory, caFile } = pki.pki;
      flags = [
        `--libvirt-uri=qemu:///system?socket=${lab.hypervisor.socketPath}`,
        '--listen=127.0.0.1:0',
        `--tls-cert-file=${join(directory, 'agent.crt')}`,
        `--tls-private-key-file=${join(directory, 'agent.key')}`,
        `--client-ca-file=${caFile}`,
        `--allow-client=${controllerUri}`,
      ];
    });
    afterEach(() => {
      running?.kill('SIGKILL');
      running = null;
    });
    afterAll(() => lab.stop());

    /** Starts the program; gives its port and everything it logs. */
    async function start(): Promise<{ child: ChildProcess; port: number; lines: Line[] }> {
      const child = spawn(process.execPath, [main, 'agent', ...flags], { stdio: ['ignore', 'inherit', 'pipe'] });
      running = child;
      const lines: Line[] = [];
      return new Promise((resolve, reject) => {
        child.once('exit', (code) => reject(new Error(`the agent ended with ${code}: ${JSON.stringify(lines)}`)));
        createInterface({ input: child.stderr }).on('line', (text) => {
          const line = JSON.parse(text) as Line;
          lines.push(line);
          if (line['msg'] === 'agent is ready') resolve({ child, port: Number(line['port']), lines });
        });
      });
    }
    const ended = (child: ChildProcess) =>
      new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    const clientOf = (port: number) =>
      createHttpsHost({ address: `https://127.0.0.1:${port}`, tls: pki.clientTls, clock: systemClock });

    test('says when it is ready, plugs, survives a kill with claim and module, and ends with 0 on SIGTERM', async () => {
      const { uuid } = lab.guest('accepting');
      const first = await start();
      const client = clientOf(first.port);
      const { revision } = await observedUntil({ host: client, uuid }, 'the guest is up', ({ booting }) => !booting);
      valueOf(await client.plug(uuid, revision, plugRequest(0, mib(128))));
      expect(first.lines).toContainEqual(
        expect.objectContaining({ audit: true, operation: 'plug', client: controllerUri, uuid, result: 'done' }),
      );
      const killed = ended(first.child);
      first.child.kill('SIGKILL');
      await killed;
      expect(codeOf(await client.observe(uuid))).toBe('unreachable');
      await client.close();

      const second = await start();
      const again = clientOf(second.port);
      const after = valueOf(await again.observe(uuid));
      expect(after.claim).toEqual(claim);
      expect(after.layout?.modules).toMatchObject([{ slot: 0, size: mib(128), state: 'Plugged' }]);
      const stopped = ended(second.child);
      second.child.kill('SIGTERM');
      expect(await stopped).toBe(0);
      await again.close();
    });

    test('release ends a claim', async () => {
      const { uuid } = lab.guest('accepting');
      const release = async (): Promise<{ code: number | null; out: string }> => {
        const child = spawn(process.execPath, [main, 'agent', 'release', uuid, flags[0] ?? ''], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let out = '';
        child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
        child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
        return { code: await ended(child), out };
      };
      const first = await release();
      expect(first.code, first.out).toBe(0);
      expect(first.out).toContain(claim.objectUid);
      const metadata = await lab.hypervisor.virsh(['metadata', uuid, stateNamespace, '--live']);
      expect(metadata.stdout).not.toContain('claim');
      expect((await release()).out).toContain('is not claimed');
    });

    test('is small', async () => {
      const { child } = await start();
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      const residentKiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
      // The aim is 80 MiB for the built program; running from TypeScript takes more.
      expect(residentKiB).toBeLessThan(200 * 1024);
    });
  },
  ['hypervisor'],
);
