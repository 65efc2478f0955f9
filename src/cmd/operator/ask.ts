/** Asking at a terminal; a file of its own, so that what reads lines is loaded only for it. */
import { createInterface } from 'node:readline/promises';

/** Asks a question; anything but yes is no. */
export async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await Promise.race([
      lines.question(`${question} [y/N] `, { signal }),
      new Promise<string>((resolve) => lines.once('close', () => resolve(''))),
    ]);
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    lines.close();
  }
}
