/** Server-sent events from the pieces in which a response arrives (HTML, 9.2.6). Pure. */

export type SseEvent = { readonly event: string; readonly data: string };

/** Takes pieces of text; gives the events that are whole with each. */
export function createSseReader(): (piece: string) => readonly SseEvent[] {
  /** What there is of a line that isn't whole: a thousand VMs are one, of megabytes, which must not be looked at again with each piece. */
  let begun: string[] = [];
  let event = '';
  let data: string[] = [];
  return (piece) => {
    const ends = piece.split('\n');
    const rest = ends.pop() ?? '';
    const events: SseEvent[] = [];
    for (const end of ends) {
      const whole = begun.join('') + end;
      begun = [];
      const line = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
      if (line === '') {
        if (data.length > 0) events.push({ event: event === '' ? 'message' : event, data: data.join('\n') });
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const name = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
      if (name === 'event') event = value;
      else if (name === 'data') data.push(value);
    }
    if (rest !== '') begun.push(rest);
    return events;
  };
}
