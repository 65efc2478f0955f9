/** `dimmer console`, the built program, and the link that it prints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { waitFor } from '../../lab/wait.ts';
import { builtMain } from '../built-program.ts';

export type RunningConsole = {
  /** Works once. */
  readonly link: string;
  /** All that it has said. */
  readonly output: () => string;
  end(): Promise<void>;
};

export type ConsoleOptions = {
  /** `kubectl dimmer console` shows a cluster, `dimmer console` a standalone. */
  readonly program: 'main' | 'kubectl-dimmer';
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** Starts it, and waits for its link. */
export async function startConsole({ program, args = [], env = {} }: ConsoleOptions): Promise<RunningConsole> {
  const child = spawn(process.execPath, [join(dirname(builtMain), `${program}.js`), 'console', ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill();
    await once(child, 'close');
  };
  try {
    const link = await waitFor(() => /https?:\/\/\S+:\d+\/#code=\S+/.exec(output)?.[0], {
      what: 'the link of the console',
      timeoutMs: 30_000,
      details: () => output,
    });
    return { link, output: () => output, end };
  } catch (error) {
    await end();
    throw error;
  }
}
