/** Laying text out in lines of a terminal. Pure. */
import { columns, wrap } from '../memory/lines.ts';

/** How it is shown. */
export type Look = {
  /** Columns of the terminal. */
  readonly width: number;
  /** Whether colours and the like are used. */
  readonly colour: boolean;
};

const styles = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Style = keyof typeof styles;

/** `text` in a style, where there are any. */
export const paint = ({ colour }: Look, style: Style, text: string): string =>
  colour && text !== '' ? `\u001b[${styles[style]}m${text}\u001b[0m` : text;

/** `label` and beside it `text` in as many lines as it takes. */
export function field(look: Look, label: string, text: string): readonly string[] {
  const indent = 12;
  const [first = '', ...rest] = wrap(text, look.width - indent);
  return [
    `  ${paint(look, 'dim', label.padEnd(indent - 3))} ${first}`.trimEnd(),
    ...rest.map((line) => ' '.repeat(indent) + line),
  ];
}

/** A title, and what stands below it; nothing where that is nothing. */
export const block = (look: Look, title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', paint(look, 'bold', title), ...lines];

/** Rows of cells, each column as wide as its widest; the last cells are cut to fit. */
export function table(rows: readonly (readonly string[])[], width: number): readonly string[] {
  return columns(rows).map((line) => cut(line, width));
}

/** The same, with the first cells cut as far as that lets the others stay whole. */
export function tableWithNames(rows: readonly (readonly string[])[], width: number): readonly string[] {
  const excess = Math.max(...table(rows, Infinity).map((line) => line.length)) - width;
  const longest = Math.max(...rows.map(([name = '']) => name.length));
  const most = Math.max(8, longest - Math.max(0, excess));
  return table(
    rows.map(([name = '', ...others]) => [cut(name, most), ...others]),
    width,
  );
}

/** The lines of a table with its head in bold, and in each row the word below `title` in the style of that row. */
export function paintColumn(
  look: Look,
  [head = '', ...rows]: readonly string[],
  title: string,
  styleOfRow: (index: number) => Style | null,
): readonly string[] {
  const start = head.indexOf(title);
  const painted = rows.map((row, index) => {
    const style = styleOfRow(index);
    const word = start === -1 ? '' : (/^\S+/.exec(row.slice(start))?.[0] ?? '');
    return style === null ? row : row.slice(0, start) + paint(look, style, word) + row.slice(start + word.length);
  });
  return [paint(look, 'bold', head), ...painted];
}

/** `text` in at most `width` characters. */
export const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;

/** How long ago, in the two largest units: `3m12s`, `5h2m`, `12d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days}d${hours > 0 && days < 10 ? `${hours}h` : ''}`;
  if (hours > 0) return `${hours}h${minutes > 0 ? `${minutes}m` : ''}`;
  return minutes > 0 ? `${minutes}m${seconds % 60 > 0 ? `${seconds % 60}s` : ''}` : `${seconds}s`;
}

/**
 * What a message says of points in time, as how long that is from now: those who write it don't know when it is read, nor in
 * which zone.
 */
export function tellTimes(text: string, nowMs: number): string {
  return text.replace(
    /\b(again at|at|until) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/g,
    (_, word: string, time: string) => {
      const ms = Date.parse(time) - nowMs;
      if (word === 'until') return ms > 0 ? `for another ${age(ms)}` : `until ${age(-ms)} ago`;
      if (word === 'at') return ms > 0 ? `in ${age(ms)}` : `${age(-ms)} ago`;
      return ms > 0 ? `again in ${age(ms)}` : 'again by now';
    },
  );
}
