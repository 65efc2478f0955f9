/** The built agent as its systemd unit starts it, and what it costs the host. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import { HttpsTransport } from '../../../src/host/http/transport.ts';
import type { DomainObservation, Host } from '../../../src/host/port.ts';
import { openTlsFiles, type TlsFiles } from '../../../src/runtime/tls-files.ts';
import { domainObservations } from '../../../src/host/http/api/domain.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { valueOf } from '../../contract/bench.ts';
import { residentMiB, threadsMs } from '../processes.ts';
import { createPki } from '../../lab/pki.ts';

const root = join(import.meta.dirname, '../../..');
const program = join(root, 'dist/cmd/main.js');
const clientUri = 'urn:dimmer:bench';

/** `Environment=NAME=VALUE` lines of a unit below deploy/: what is measured is what is installed. */
export function unitEnvironment(name = 'agent/dimmer-agent.service'): Record<string, string> {
  const unit = readFileSync(join(root, 'deploy', name), 'utf8');
  return Object.fromEntries(
    [...unit.matchAll(/^Environment="?([A-Z_]+)=([^"\n]*)"?$/gm)].map(([, name, value]) => [name, value]),
  ) as Record<string, string>;
}

export type AgentFiles = { readonly flags: readonly string[]; readonly clientTls: TlsFiles };

/** Certificates for the agent and its one client, in a directory below `directory`. */
export async function prepareAgent(directory: string): Promise<AgentFiles> {
  const pki = await createPki(join(directory, 'bench-pki'));
  const server = await pki.issue({ name: 'agent', dns: ['localhost'], ip: ['127.0.0.1'] });
  const client = await pki.issue({ name: 'client', uri: [clientUri] });
  return {
    flags: [
      ...['--listen=127.0.0.1:0', `--allow-client=${clientUri}`, `--client-ca-file=${pki.caFile}`],
      ...[`--tls-cert-file=${server.certFile}`, `--tls-private-key-file=${server.keyFile}`],
    ],
    clientTls: openTlsFiles({ ...client, caFile: pki.caFile }, systemClock, silentLogger),
  };
}

export type AgentProgram = {
  /** From the start of the process to its line "agent is ready", ms. */
  readonly readyMs: number;
  readonly client: Host;
  /** Asks for the memory of all VMs at once. */
  readonly viewAll: () => Promise<readonly DomainObservation[]>;
  /** Resident memory now, MiB. */
  readonly residentMib: () => number;
  /** Processor time of all its threads so far, ms. */
  readonly cpuMs: () => number;
  readonly stop: () => Promise<void>;
};

/** Starts the built program and waits until it is ready. */
export async function startAgent(uri: string, files: AgentFiles): Promise<AgentProgram> {
  if (!existsSync(program)) throw new Error(`${program} is missing; run 'npm run build' first`);
  const startedAt = performance.now();
  const args = [program, 'agent', `--libvirt-uri=${uri}`, ...files.flags];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, ...unitEnvironment() },
  });
  const port = await whenReady(child);
  const readyMs = performance.now() - startedAt;
  const options = { address: `https://127.0.0.1:${port}`, tls: files.clientTls, clock: systemClock };
  const client = createHttpsHost(options);
  const transport = new HttpsTransport(options);
  return {
    readyMs,
    client,
    async viewAll() {
      const request = { method: 'GET', path: '/v1/domains?view=memory', deadlineMs: 60_000 } as const;
      return valueOf(await transport.call(request, domainObservations)).domains;
    },
    residentMib: () => residentMiB(child.pid ?? 0),
    cpuMs: () => threadsMs(child.pid ?? 0),
    async stop() {
      await Promise.all([client.close(), transport.close()]);
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function whenReady(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const seen: string[] = [];
    child.once('exit', (code) => reject(new Error(`the agent ended with ${code}\n${seen.join('\n')}`)));
    if (child.stderr === null) return;
    createInterface({ input: child.stderr }).on('line', (text) => {
      seen.push(text);
      if (seen.length > 50) seen.shift();
      const line = JSON.parse(text) as { msg: string; port?: number };
      if (line.msg === 'agent is ready') resolve(line.port ?? 0);
    });
  });
}
