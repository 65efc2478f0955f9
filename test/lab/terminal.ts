/** A terminal as a person has it: tmux holds it, keys go in, and what stands on its screen comes out. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runOk } from './run.ts';
import { waitFor } from './wait.ts';

export type Terminal = {
  /** What stands on the screen now, as text. */
  readonly screen: () => Promise<string>;
  /** Types text as it is. */
  readonly type: (text: string) => Promise<void>;
  /** Presses keys by tmux's names of them: `Enter`, `C-c`, `S`. */
  readonly press: (...keys: readonly string[]) => Promise<void>;
  /** Waits until the screen shows `what`; gives it. */
  readonly shows: (what: RegExp | string) => Promise<string>;
  readonly close: () => Promise<void>;
};

export type TerminalOptions = {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly columns: number;
  readonly rows: number;
};

/** Starts a command at a terminal of its own. */
export async function openTerminal({ command, env, columns, rows }: TerminalOptions): Promise<Terminal> {
  const directory = mkdtempSync(join(tmpdir(), 'dimmer-terminal-'));
  // A server of its own, with nobody's configuration.
  const server = ['-S', join(directory, 'tmux'), '-f', '/dev/null'];
  const options = { env: { TERM: 'xterm-256color', LANG: 'C.UTF-8', TMUX: '', ...env } };
  const tmux = (...args: readonly string[]): Promise<string> => runOk('tmux', [...server, ...args], options);
  await tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), ...command);
  await tmux('set-option', '-g', 'status', 'off');
  const screen = (): Promise<string> => tmux('capture-pane', '-p');
  return {
    screen,
    type: async (text) => {
      await tmux('send-keys', '-l', text);
    },
    press: async (...keys) => {
      await tmux('send-keys', ...keys);
    },
    shows: (what) =>
      waitFor(
        async () => {
          const text = await screen();
          return (typeof what === 'string' ? text.includes(what) : what.test(text)) && text;
        },
        { what: `the screen to show ${String(what)}`, timeoutMs: 30_000, intervalMs: 100, details: screen },
      ),
    close: async () => {
      await run('tmux', [...server, 'kill-server'], options);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
