/** The user's own kubectl, with the user's own context and rights: what asks a cluster for an operator's commands. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Given } from '../command-line.ts';
import { Told } from './told.ts';

export type KubectlAnswer = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Options of ours that are kubectl's. */
const passedOn = ['namespace', 'context', 'kubeconfig'];

export class Kubectl {
  readonly #options: readonly string[];
  readonly #signal: AbortSignal;

  constructor(given: Given, signal: AbortSignal) {
    this.#options = passedOn.flatMap((name) => {
      const value = given.text(name);
      return value === null ? [] : [`--${name}=${value}`];
    });
    this.#signal = signal;
  }

  /** Runs it to its end, with its complaints for us to judge. @throws Error where there is no kubectl */
  async run(args: readonly string[]): Promise<KubectlAnswer> {
    const child = this.#spawn(args, 'pipe');
    const stderr = child.stderr === null ? Promise.resolve('') : textOf(child.stderr);
    const [stdout, code] = await Promise.all([textOf(child.stdout), endOf(child)]);
    return { code, stdout, stderr: await stderr };
  }

  /** What it prints as JSON. What it complains of goes to the user as it stands. @throws Told where it fails */
  async read(args: readonly string[]): Promise<unknown> {
    const child = this.#spawn([...args, '--output=json'], 'inherit');
    const [stdout, code] = await Promise.all([textOf(child.stdout), endOf(child)]);
    if (code !== 0) throw new Told();
    return JSON.parse(stdout);
  }

  /** The objects that it prints one after the other, until it ends by itself or `signal`. @throws Told where it fails */
  async *stream(args: readonly string[], signal: AbortSignal): AsyncGenerator<unknown> {
    const child = this.#spawn([...args, '--output=json'], 'inherit');
    const stop = (): void => void child.kill();
    signal.addEventListener('abort', stop);
    // It prints them indented, each ended by a brace at the beginning of a line.
    let text = '';
    try {
      for await (const chunk of child.stdout.setEncoding('utf8')) {
        text += String(chunk);
        for (let end = text.indexOf('\n}\n'); end >= 0; end = text.indexOf('\n}\n')) {
          yield JSON.parse(text.slice(0, end + 3));
          text = text.slice(end + 3);
        }
      }
      if ((await endOf(child)) !== 0 && !signal.aborted) throw new Told();
    } finally {
      signal.removeEventListener('abort', stop);
      child.kill();
    }
  }

  #spawn<T extends 'pipe' | 'inherit'>(
    args: readonly string[],
    stderr: T,
  ): ChildProcessByStdio<null, Readable, T extends 'pipe' ? Readable : null> {
    // Standard input is the user's: what asks for a password there is kubectl's business.
    const child = spawn('kubectl', [...args, ...this.#options], {
      stdio: ['inherit', 'pipe', stderr],
      signal: this.#signal,
    });
    return child as unknown as ChildProcessByStdio<null, Readable, T extends 'pipe' ? Readable : null>;
  }
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
  return text;
}

/** Its exit code; one that a signal ended counts as failed. */
async function endOf(child: ChildProcessByStdio<null, Readable, Readable | null>): Promise<number> {
  if (child.exitCode !== null) return child.exitCode;
  return new Promise((resolve, reject) => {
    child.once('close', (code) => resolve(code ?? 1));
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.name === 'AbortError') resolve(1);
      else if (error.code !== 'ENOENT') reject(error);
      else reject(new Error('there is no kubectl on the PATH, which asks the cluster for us', { cause: error }));
    });
  });
}
