/** One virsh for many questions: a process for each would take 25 ms of a processor, ten times what the answer takes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { SEARCH_PATH } from './run.ts';

export type VirshShell = {
  /**
   * What a command prints; of one that fails, nothing. Where libvirtd was killed virsh connects again by itself, or ends, and
   * then the next question has a new one.
   */
  readonly ask: (command: string) => Promise<string>;
  readonly close: () => Promise<void>;
};

/** Starts one; libvirtd must run. Questions are asked one after the other. */
export function openVirshShell(uri: string): VirshShell {
  let virsh = startVirsh(uri);
  return {
    ask: (command) => {
      if (!virsh.isOpen()) virsh = startVirsh(uri);
      return virsh.ask(command);
    },
    close: () => virsh.close(),
  };
}

function startVirsh(uri: string): VirshShell & { readonly isOpen: () => boolean } {
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
    isOpen: () => isOpen,
    async ask(command) {
      // It shows what it was given after a prompt: at the beginning of a line there is only what it says.
      const end = `end-of-answer-${(asked += 1)}`;
      said = '';
      const answered = new Promise<void>((resolve) => {
        heard = () => {
          if (said.includes(`\n${end}`)) resolve();
        };
      });
      child.stdin.write(`${command}\necho ${end}\n`);
      await Promise.race([answered, ended]);
      if (!said.includes(`\n${end}`)) return '';
      return said.slice(said.indexOf('\n') + 1, said.indexOf(`\n${end}`));
    },
    async close() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
