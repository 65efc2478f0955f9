/** Server-sent events (WHATWG HTML, section 9.2), as far as the agent uses them. */

export type SseMessage = { readonly id: string; readonly event: string; readonly data: string };

/** A line longer than this is no event of ours. */
const maxLineLength = 64 * 1024;

/** Cuts a stream into messages. */
export class SseParser {
  #rest = '';
  #id = '';
  #event = '';
  #data = '';

  /** The messages that `chunk` completes. @throws RangeError when a line has no end */
  push(chunk: string): SseMessage[] {
    const messages: SseMessage[] = [];
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > maxLineLength) throw new RangeError('the event stream has a line without an end');
    for (const line of lines) {
      const message = this.#take(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (message !== null) messages.push(message);
    }
    return messages;
  }

  #take(line: string): SseMessage | null {
    if (line === '') {
      const message = this.#event === '' ? null : { id: this.#id, event: this.#event, data: this.#data };
      this.#event = '';
      this.#data = '';
      return message;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'id') this.#id = value;
    else if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data = this.#data === '' ? value : `${this.#data}\n${value}`;
    // A line that begins with a colon is a heartbeat.
    return null;
  }
}

/** One message as text; ids and names hold no line breaks, data is JSON. */
export const formatSse = (message: SseMessage): string =>
  `id: ${message.id}\nevent: ${message.event}\ndata: ${message.data}\n\n`;
