/** Events of a resource, newest last. Pure. */
import { age, cut, type Look, paint, table, tellTimes } from './layout.ts';
import { wrap } from '../memory/lines.ts';

/** An event as it is shown. */
export type ShownEvent = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  /** RFC 3339. */
  readonly lastSeen: string;
};

const mark = ({ type }: ShownEvent): string => (type === 'Warning' ? '!' : ' ');
const countOf = ({ reason, count }: ShownEvent): string => (count > 1 ? `${reason} (${count}x)` : reason);
const ageOf = ({ lastSeen }: ShownEvent, nowMs: number): string => age(nowMs - Date.parse(lastSeen));

/** The last of them in a line each, the newest first, cut to fit. */
export function lastEvents(events: readonly ShownEvent[], most: number, look: Look, nowMs: number): readonly string[] {
  const rows = events
    .slice(-most)
    .toReversed()
    .map((event) => [mark(event), ageOf(event, nowMs), countOf(event), tellTimes(event.message, nowMs)]);
  return table(rows, look.width);
}

/** All of them with all that they say, the newest last, as a log reads. `wide`: one line each, however long. */
export function describeEvents(events: readonly ShownEvent[], look: Look, nowMs: number, wide: boolean): string {
  const rows = events.map((event) => ({
    cells: [mark(event), ageOf(event, nowMs), countOf(event)],
    message: tellTimes(event.message, nowMs),
    isWarning: event.type === 'Warning',
  }));
  const heads = table([[' ', 'AGO', 'REASON'], ...rows.map(({ cells }) => cells)], Infinity);
  const indent = Math.max(0, ...heads.map((head) => head.length)) + 2;
  const [title = '', ...lines] = heads;
  const shown = rows.flatMap(({ message, isWarning }, index) => {
    const [first = '', ...rest] = wide ? [message] : wrap(message, Math.max(20, look.width - indent));
    const head = (lines[index] ?? '').padEnd(indent);
    return [(isWarning ? paint(look, 'yellow', head) : head) + first, ...rest.map((line) => ' '.repeat(indent) + line)];
  });
  const top = paint(look, 'bold', `${title.padEnd(indent)}MESSAGE`);
  return `${[top, ...shown].map((line) => (wide ? line : cutPlain(line, look))).join('\n')}\n`;
}

/** A word longer than its column is left whole, unless it wouldn't fit the terminal; colours aren't counted. */
const cutPlain = (line: string, { width, colour }: Look): string => (colour ? line : cut(line, width));
