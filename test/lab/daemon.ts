import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { SEARCH_PATH } from './run.ts';

export type DaemonOptions = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

/** A process of the lab. It is killed by the kernel when the process that started it ends, however that ends. */
export type Daemon = {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Null while it runs, then how it ended. */
  readonly ended: () => string | null;
  readonly logTail: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves when it has ended. */
  readonly whenEnded: Promise<void>;
  /** Ends it with SIGTERM, and after `graceMs` (5 s) with SIGKILL. */
  readonly stop: (graceMs?: number) => Promise<void>;
};

/**
 * Starts a process in the background with its output in a log file.
 * Throws when the command cannot be started.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const log = openSync(options.logFile, 'a');
  // PR_SET_PDEATHSIG (prctl(2)) survives execve, so what runs here is the command itself, with our child's id.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', options.command, ...options.args], {
    stdio: ['ignore', log, log],
    // Out of reach of the terminal's Ctrl-C: we end our processes ourselves, in our order.
    detached: true,
    env: { ...process.env, PATH: SEARCH_PATH, ...options.env },
    cwd: options.cwd,
  });
  closeSync(log);
  await once(child, 'spawn');
  return daemonOf(child, options);
}

function daemonOf(child: ChildProcess, options: DaemonOptions): Daemon {
  const { name, logFile } = options;
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${name} has no process id`);
  const ended = (): string | null => {
    if (child.exitCode !== null) return `exit code ${child.exitCode}`;
    return child.signalCode === null ? null : `signal ${child.signalCode}`;
  };
  const whenEnded = once(child, 'exit').then(() => undefined);
  const stop = async (graceMs = 5000): Promise<void> => {
    if (ended() !== null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await whenEnded;
    clearTimeout(timer);
  };
  return {
    name,
    pid,
    logFile,
    ended,
    logTail: () => logTail(name, logFile),
    kill: (signal) => void child.kill(signal),
    whenEnded,
    stop,
  };
}

/** The last lines of a log, introduced by the name of the piece that wrote it. */
export function logTail(name: string, logFile: string, lines = 25): string {
  let text: string;
  try {
    text = readFileSync(logFile, 'utf8').trimEnd();
  } catch {
    text = '(no log)';
  }
  return `--- last lines of ${name} (${logFile})\n${text.split('\n').slice(-lines).join('\n')}`;
}
