/** The agent's TLS, graded by nmap from outside: what it takes from a client that has no certificate at all. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AgentPki, createAgentPki } from '../integration/agent/agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from '../integration/agent/agent-process.ts';
import { describeLab } from '../lab/describe.ts';
import { check, STRANGERS } from './checkers.ts';

await describeLab(
  'nmap',
  () => {
    let directory: string;
    let pki: AgentPki;
    let agent: AgentProcess;
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'dimmer-strangers-'));
      pki = await createAgentPki(directory);
      agent = await startAgentProcess(['--driver=simulated'], pki);
    });
    afterAll(async () => {
      await agent.end('SIGTERM');
      for (const tls of [pki.agentTls, pki.clientTls]) tls.close();
      rmSync(directory, { recursive: true });
    });

    test('grades every suite of every version with A, and sees none before TLS 1.2', async () => {
      const scan = ['-n', '-Pn', '-sT', '--script=ssl-enum-ciphers', `-p${agent.port}`, '127.0.0.1'];
      const { stdout } = await check(['nmap'], scan);
      expect(stdout).toContain('least strength: A\n');
      const versions = [...stdout.matchAll(/^\|\s+(SSLv\S+|TLSv\S+):/gm)].map(([, name]) => name);
      expect(versions.toSorted()).toEqual(['TLSv1.2', 'TLSv1.3']);
      expect(stdout).not.toContain('warnings:');
    });
  },
  STRANGERS,
);
