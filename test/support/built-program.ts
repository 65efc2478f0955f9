/** The program as users have it, run as they run it: tests of command lines run what ships, not what it is made from. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What `npm run build` makes, and the package holds. */
export const builtMain = join(import.meta.dirname, '../../dist/cmd/main.js');
if (!existsSync(builtMain)) throw new Error(`${builtMain} is missing; run 'npm run build' first`);

/** `exit` is null when a signal ended it. */
export type Ran = { readonly exit: number | null; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  /** Pieces arrive one by one. */
  readonly stdin?: string | readonly Uint8Array[];
  readonly env?: Readonly<Record<string, string>>;
  /** Another copy of the program than the built one. */
  readonly program?: string;
  /** Another Node than that of the tests. */
  readonly node?: string;
  /** It is ended then, for programs that would go on where a test fails. */
  readonly timeoutMs?: number;
};

/** Runs `dimmer` with these arguments to its end. */
export async function runProgram(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { stdin = '', env = {}, program = builtMain, node = process.execPath, timeoutMs = 0 } = options;
  const child = spawn(node, [program, ...argv], { env: { ...process.env, ...env }, timeout: timeoutMs });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // It may end without having read all of it.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close') as Promise<[number | null]>;
  for (const piece of typeof stdin === 'string' ? [stdin] : stdin) {
    await new Promise<void>((resolve) => child.stdin.write(piece, () => resolve()));
  }
  child.stdin.end();
  const [exit] = await ended;
  return { exit, stdout, stderr };
}
