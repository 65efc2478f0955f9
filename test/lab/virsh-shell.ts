/** One virsh for many questions: a process for each would take 25 ms of a processor, ten times what the answer takes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { SEARCH_PATH } from './run.ts';

export type VirshShell = {
  /** What a command prints; of one that fails, nothing. It connects again by itself where libvirtd was restarted. */
  readonly ask: (command: string) => Promise<string>;
  readonly close: () => Promise<void>;
};

/** Starts one; libvirtd must run. Questions are asked one after the other. */
export function openVirshShell(uri: string): VirshShell {
  const env = { ...process.env, PATH: SEARCH_PATH, TERM: 'dumb' };
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'virsh', '--quiet', '--connect', uri], {
    ...{ stdio: ['pipe', 'pipe', 'ignore'], env },
  });
  const ended = once(child, 'exit');
  let isOpen = true;
  void ended.then(() => (isOpen = false));
  child.stdin.on('error', () => undefined);
  let said = '';
  let heard = (): void => undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    heard();
  });
  let asked = 0;
  return {
    async ask(command) {
      if (!isOpen) throw new Error('virsh has ended');
      // It shows what it was given after a prompt: at the beginning of a line there is only what it says.
      const end = `end-of-answer-${(asked += 1)}`;
      said = '';
      const answered = new Promise<void>((resolve) => {
        heard = () => {
          if (said.includes(`\n${end}`)) resolve();
        };
      });
      child.stdin.write(`${command}\necho ${end}\n`);
      await Promise.race([
        answered,
        ended.then(() => {
          throw new Error('virsh has ended');
        }),
      ]);
      return said.slice(said.indexOf('\n') + 1, said.indexOf(`\n${end}`));
    },
    async close() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
