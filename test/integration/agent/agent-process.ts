/** `dimmer agent` as a process of its own, which can be killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createHttpsHost } from '../../../src/host/https-host.ts';
import type { Host } from '../../../src/host/port.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { type AgentPki, controllerUri } from './agent-fixture.ts';

const main = join(import.meta.dirname, '../../../src/cmd/main.ts');

export type AgentProcess = {
  readonly pid: number;
  readonly port: number;
  readonly client: Host;
  /** Ends it and its client, and waits until it is gone. */
  readonly end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>;
};

/** Starts the program from its sources and waits until it is ready. */
export async function startAgentProcess(
  uri: string,
  { pki, clientTls }: AgentPki,
  options: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<AgentProcess> {
  const { directory, caFile } = pki;
  const child = spawn(
    process.execPath,
    [
      ...[main, 'agent', `--libvirt-uri=${uri}`, '--listen=127.0.0.1:0', `--allow-client=${controllerUri}`],
      ...[`--tls-cert-file=${join(directory, 'agent.crt')}`, `--tls-private-key-file=${join(directory, 'agent.key')}`],
      `--client-ca-file=${caFile}`,
    ],
    { stdio: ['ignore', 'inherit', 'pipe'], env: { ...process.env, ...options.env } },
  );
  const ended = once(child, 'exit');
  let port = 0;
  await new Promise<void>((resolve, reject) => {
    void ended.then(([code]) => reject(new Error(`the agent ended with ${String(code)}`)));
    createInterface({ input: child.stderr }).on('line', (text) => {
      const line = JSON.parse(text) as { readonly msg: string; readonly port?: number };
      port = line.port ?? port;
      if (line.msg === 'agent is ready') resolve();
    });
  });
  const client = createHttpsHost({ address: `https://127.0.0.1:${port}`, tls: clientTls, clock: systemClock });
  return {
    pid: child.pid ?? 0,
    port,
    client,
    async end(signal) {
      child.kill(signal);
      await ended;
      await client.close();
    },
  };
}
