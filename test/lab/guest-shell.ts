import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitFor } from './wait.ts';

export type ShellResult = { readonly out: string; readonly code: number };

/** The shell on a guest's second serial port (guest/init.sh). One command at a time; the others wait. */
export type GuestShell = {
  /** Resolves when the guest has booted and answers. Gives the boot's id. */
  readonly waitReady: (timeoutMs: number) => Promise<string>;
  /** Waits until a guest answers that had booted before anybody was connected here. */
  readonly waitAnswer: (timeoutMs: number) => Promise<void>;
  /** From now on only a new boot counts as ready. */
  readonly expectBoot: () => void;
  readonly sh: (command: string, timeoutMs: number) => Promise<ShellResult>;
  /** As `sh`, for what can't take long: nobody in the guest watches over it, which costs less than half. */
  readonly quick: (command: string) => Promise<ShellResult>;
  readonly close: () => void;
};

// The guest's terminal buffers 4096 bytes, and there is no flow control.
const MAX_LINE_BYTES = 3500;
const QUICK_TIMEOUT_MS = 20_000;

/**
 * Connects to the socket of a guest's second serial port; must be there before the guest speaks.
 * @param lastWords what tells why a guest went away
 */
export async function connectGuestShell(socketPath: string, lastWords: () => string): Promise<GuestShell> {
  const socket = await waitFor(() => connected(socketPath), {
    what: `the serial port ${socketPath}`,
    timeoutMs: 30_000,
  });
  let text = '';
  let nextId = 1;
  let bootId: string | undefined;
  let closed = false;
  let queue: Promise<unknown> = Promise.resolve();
  let onText = (): void => undefined;
  socket.setEncoding('utf8');
  socket.on('data', (piece: string) => {
    text += piece;
    text = text.replaceAll(/\n?##READY (\S+)\n/g, (_line, id: string) => {
      bootId = id;
      return '';
    });
    onText();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    closed = true;
    onText();
  });

  /** The guest kills a command that takes longer than `seconds`, so that the shell is free for the next one; 0: it doesn't. */
  const ask = async (command: string, timeoutMs: number, seconds: number): Promise<ShellResult> => {
    const id = nextId++;
    const line = `${id} ${seconds} ${forPrintf(command)}\n`;
    if (line.length > MAX_LINE_BYTES) throw new Error(`a command of ${command.length} bytes is too long`);
    text = '';
    socket.write(line);
    const end = new RegExp(`\\n##END ${id} (\\d+)\\n`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        onText = () => undefined;
        reject(
          new Error(`the guest did not answer \`${command}\` within ${timeoutMs} ms\nit said: ${text.slice(-500)}`),
        );
      }, timeoutMs + 2000);
      onText = () => {
        const match = end.exec(text);
        if (match === null && !closed) return;
        clearTimeout(timer);
        onText = () => undefined;
        if (match === null) reject(new Error(`the guest went away during \`${command}\`\n${lastWords()}`));
        else resolve({ out: text.slice(0, match.index), code: Number(match[1]) });
      };
      onText();
    });
  };

  const inTurn = (command: string, timeoutMs: number, seconds: number): Promise<ShellResult> => {
    const answer = queue.then(() => ask(command, timeoutMs, seconds));
    queue = answer.catch(() => undefined);
    return answer;
  };
  const sh: GuestShell['sh'] = (command, timeoutMs) => inTurn(command, timeoutMs, Math.ceil(timeoutMs / 1000));
  return {
    waitReady: (timeoutMs) =>
      waitFor(() => bootId, {
        what: 'the guest to boot',
        timeoutMs,
        details: () => `serial port: ${text.slice(-500)}`,
      }),
    waitAnswer: async (timeoutMs) => {
      bootId = (await sh('cat /proc/sys/kernel/random/boot_id', timeoutMs)).out.trim();
    },
    expectBoot: () => (bootId = undefined),
    sh,
    quick: (command) => inTurn(command, QUICK_TIMEOUT_MS, 0),
    close: () => socket.destroy(),
  };
}

/** A text as printf's %b reads it, in one line; a blank at either end would be lost on the way. */
function forPrintf(text: string): string {
  const octal = (byte: number): string => `\\0${byte.toString(8).padStart(3, '0')}`;
  const bytes = [...Buffer.from(text)];
  const isPlain = (byte: number, index: number): boolean =>
    byte === 0x20 ? index > 0 && index < bytes.length - 1 : byte > 0x20 && byte < 0x7f && byte !== 0x5c;
  return bytes.map((byte, index) => (isPlain(byte, index) ? String.fromCharCode(byte) : octal(byte))).join('');
}

async function connected(socketPath: string): Promise<Socket> {
  const socket = connect(socketPath);
  try {
    await once(socket, 'connect');
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}
