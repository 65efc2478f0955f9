/** Server-sent events from the pieces in which a response arrives (HTML, 9.2.6). Pure. */

export type SseEvent = { readonly event: string; readonly data: string };

/** Takes pieces of text; gives the events that are whole with each. */
export function createSseReader(): (piece: string) => readonly SseEvent[] {
  let rest = '';
  let event = '';
  let data: string[] = [];
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    const events: SseEvent[] = [];
    for (const line of lines.map((one) => one.replace(/\r$/, ''))) {
      if (line === '') {
        if (data.length > 0) events.push({ event: event === '' ? 'message' : event, data: data.join('\n') });
        event = '';
        data = [];
        continue;
      }
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (name === 'event') event = value;
      else if (name === 'data') data.push(value);
    }
    return events;
  };
}
