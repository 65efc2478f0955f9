/** The terminal that a command is typed at. */
import type { Look } from '../../view/layout.ts';

/** How this terminal shows it. A narrower one than 72 columns breaks lines by itself. */
export function lookHere(): Look {
  const { stdout, env } = process;
  const isTerminal = stdout.isTTY;
  return {
    width: Math.max(72, isTerminal ? stdout.columns : 80),
    colour: isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
  };
}

/** Whether somebody sits there who can be asked. */
export const canAsk = (): boolean => process.stdin.isTTY && process.stdout.isTTY;

/** Puts `text` in place of all that is on the screen, cut to fit. */
export function redraw(text: string): void {
  const rows = process.stdout.rows - 1;
  const lines = text.trimEnd().split('\n');
  const shown = lines.length <= rows ? lines : [...lines.slice(0, rows - 1), '…'];
  process.stdout.write(`\u001b[H\u001b[J${shown.join('\n')}\n`);
}
