/** `dimmer agent` as a process of its own, which can be killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createHttpsHost } from '../../../src/host/http/client.ts';
import type { Host } from '../../../src/host/port.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { builtMain } from '../../support/built-program.ts';
import { type AgentPki, controllerUri } from './agent-fixture.ts';

export type LogLine = Readonly<Record<string, unknown>>;

export type AgentProcess = {
  readonly pid: number;
  readonly port: number;
  readonly client: Host;
  /** All that it has logged so far. */
  readonly lines: readonly LogLine[];
  /** Ends it and its client, and waits until it is gone. Its exit code, null when the signal ended it. */
  readonly end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<number | null>;
};

/** Starts the built program, or another copy of it, with `flags` for what it drives, and waits until it is ready. */
export async function startAgentProcess(
  flags: readonly string[],
  { pki, clientTls }: AgentPki,
  options: {
    readonly program?: string;
    readonly env?: Readonly<Record<string, string>>;
    /** Listening is enough: what it drives isn't there. */
    readonly isReadyWhen?: 'agent is ready' | 'agent is listening';
  } = {},
): Promise<AgentProcess> {
  const { directory, caFile } = pki;
  const child = spawn(
    process.execPath,
    [
      ...[options.program ?? builtMain, 'agent', '--listen=127.0.0.1:0', `--allow-client=${controllerUri}`],
      ...[`--tls-cert-file=${join(directory, 'agent.crt')}`, `--tls-private-key-file=${join(directory, 'agent.key')}`],
      ...[`--client-ca-file=${caFile}`, ...flags],
    ],
    { stdio: ['ignore', 'inherit', 'pipe'], env: { ...process.env, ...options.env } },
  );
  // When all its output has been read, too.
  const ended = once(child, 'close') as Promise<[number | null]>;
  const lines: LogLine[] = [];
  let port = 0;
  await new Promise<void>((resolve, reject) => {
    void ended.then(([code]) => reject(new Error(`the agent ended with ${String(code)}`)));
    createInterface({ input: child.stderr }).on('line', (text) => {
      const line = readLine(text);
      lines.push(line);
      port = Number(line['port'] ?? port);
      if (line['msg'] === (options.isReadyWhen ?? 'agent is ready')) resolve();
    });
  });
  const client = createHttpsHost({ address: `https://127.0.0.1:${port}`, tls: clientTls, clock: systemClock });
  return {
    pid: child.pid ?? 0,
    ...{ port, client, lines },
    async end(signal) {
      child.kill(signal);
      const [code] = await ended;
      await client.close();
      return code;
    },
  };
}

function readLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    throw new Error(`the agent wrote what is no line of its log: ${text}`);
  }
}
