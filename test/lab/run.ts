import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What a finished command left behind. `code` is null when a signal ended it. */
export type CommandResult = { readonly stdout: string; readonly stderr: string; readonly code: number | null };

export type RunOptions = {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds after which the command is killed and the call fails; 60 s when left out. */
  readonly timeoutMs?: number;
  /** Called with every piece of stderr as it comes, for progress output. */
  readonly onStderr?: (text: string) => void;
};

/** Debian's root has no /usr/sbin on its PATH after a plain `su`, and libvirtd lives there. */
export const SEARCH_PATH = `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin`;

/**
 * Runs a command to its end and gives its output, whatever its exit code.
 * Throws when it cannot be started or does not end in time (it is then killed).
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const { timeoutMs = 60_000 } = options;
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, PATH: SEARCH_PATH, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => stdout.push(piece));
  child.stderr.on('data', (piece: Buffer) => {
    stderr.push(piece);
    options.onStderr?.(piece.toString());
  });
  child.stdin.on('error', () => {
    // A command that ends without reading its input is judged by its exit code.
  });
  child.stdin.end(options.input ?? '');
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    child.kill('SIGKILL');
    // A grandchild may hold the pipes open for ever.
    child.stdout.destroy();
    child.stderr.destroy();
  }, timeoutMs);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    const result = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString(), code };
    if (late.signal.aborted)
      throw new Error(`${describe(command, args)} did not end within ${timeoutMs} ms\n${output(result)}`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** Like {@link run}, but a non-zero exit is an error that carries the command's output. Gives stdout. */
export async function runOk(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options);
  if (result.code !== 0) {
    throw new Error(`${describe(command, args)} failed with exit code ${String(result.code)}\n${output(result)}`);
  }
  return result.stdout;
}

function describe(command: string, args: readonly string[]): string {
  return [command, ...args].join(' ').slice(0, 400);
}

function output(result: CommandResult): string {
  return `${result.stdout}${result.stderr}`.trim().slice(-4000);
}
