/** The console's server over resources that a test says, asked as whoever a test wants to be. */
import { randomBytes } from 'node:crypto';
import { type IncomingHttpHeaders, request } from 'node:http';
import { decodeVirtualMachineMemory } from '../../src/api/v1alpha1/decode.ts';
import type { ConsoleBackend } from '../../src/console/backend.ts';
import { Board } from '../../src/console/board.ts';
import { isLoopbackName } from '../../src/console/http/guard.ts';
import { type ConsoleServer, createConsoleServer } from '../../src/console/http/server.ts';
import { Sessions } from '../../src/console/sessions.ts';
import { type ConsoleEvent, paths, readConsoleEvent } from '../../src/console/wire.ts';
import { gib } from '../../src/memory/bytes.ts';
import { formatQuantity } from '../../src/memory/quantity.ts';
import type { Seen, SizeSet, SizeWish, WishSet } from '../../src/operator/backend.ts';
import { systemClock } from '../../src/runtime/clock.ts';

export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };
export type Asking = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly address?: string;
};

/** One request, with these headers and no others that matter. */
export function ask(port: number, path: string, asking: Asking = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, address = '127.0.0.1' } = asking;
  return new Promise((resolve, reject) => {
    const sent = request({ host: address, port, path, method, headers: { host: `127.0.0.1:${port}`, ...headers } });
    sent.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.on('error', reject);
    });
    sent.end(method === 'GET' ? undefined : body);
  });
}

/** Changes a link's code for a secret, as the page does. */
export const changeCode = (
  port: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  ask(port, paths.session, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ code }),
  });

/** Reads the events of a console until `signal`. */
export async function* streamOf(port: number, secret: string, signal: AbortSignal): AsyncGenerator<ConsoleEvent> {
  const response = await fetch(`http://127.0.0.1:${port}${paths.stream}`, {
    headers: { authorization: `Bearer ${secret}` },
    signal,
  });
  if (response.status !== 200 || response.body === null)
    throw new Error(`${response.status}: ${await response.text()}`);
  let text = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + piece).split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, event = '', data = ''] = /^event: (\S+)\ndata: (.*)$/.exec(block) ?? [];
      const read = event === '' ? null : readConsoleEvent(event, JSON.parse(data));
      if (read !== null) yield read;
    }
  }
}

/** `t/db` at a version. */
export function seenAt(
  version: string,
  memory = '2Gi',
  more: { readonly labels?: object; readonly generation?: number; readonly managedFields?: readonly object[] } = {},
): Seen {
  const { generation = 4, labels = {}, managedFields = [] } = more;
  const object = {
    apiVersion: 'dimmer.dev/v1alpha1',
    kind: 'VirtualMachineMemory',
    metadata: { name: 'db', namespace: 't', uid: 'u', resourceVersion: version, generation, labels, managedFields },
    spec: { virtualMachine: { uuid: 'x' }, memory },
  };
  const read = decodeVirtualMachineMemory(object);
  if (!read.ok) throw new Error(read.error);
  return { resource: read.value, object };
}

/** Holds what it is told, and writes down what it is asked for. */
class ScriptedBackend implements ConsoleBackend {
  readonly board = new Board({ place: 'cluster', title: 'lab', canEdit: true, version: '0' });
  readonly asked: string[] = [];
  /** What an API server would say to a size; undefined: yes, where the version is the newest. */
  answer: SizeSet | undefined;

  start = (): Promise<void> => Promise.resolve();
  close = (): Promise<void> => Promise.resolve();
  get = (namespace: string, name: string): Promise<Seen | null> => Promise.resolve(this.board.find(namespace, name));
  events = (): Promise<readonly never[]> => Promise.resolve([]);

  setMemory({ resource }: Seen, { memory, shrinkPolicy }: SizeWish, dryRun: boolean): Promise<SizeSet> {
    const { namespace, name, resourceVersion } = resource.metadata;
    const way = shrinkPolicy === undefined ? '' : ` with ${shrinkPolicy}`;
    this.asked.push(`${formatQuantity(memory)}${way} onto ${resourceVersion}${dryRun ? ', dry run' : ''}`);
    const isNewest = this.board.find(namespace, name)?.resource.metadata.resourceVersion === resourceVersion;
    return Promise.resolve(this.answer ?? (isNewest ? { outcome: 'set', by: 'here' } : { outcome: 'changed' }));
  }

  wish(_: Seen, what: string): Promise<WishSet> {
    this.asked.push(what);
    return Promise.resolve({ outcome: 'set' });
  }
}

export class ConsoleBench {
  readonly backend = new ScriptedBackend();
  readonly sessions = new Sessions({ clock: systemClock, random: randomBytes });
  port = 0;
  readonly #server: ConsoleServer;

  constructor() {
    const page = { type: 'text/html; charset=utf-8', body: Buffer.from('<!doctype html>') };
    this.#server = createConsoleServer({
      ...{ backend: this.backend, sessions: this.sessions, clock: systemClock, isOurName: isLoopbackName, tls: null },
      files: new Map([['/index.html', page]]),
    });
  }

  async start(): Promise<this> {
    this.backend.board.replace([seenAt('1', formatQuantity(gib(2)))]);
    return this.listen(0);
  }

  async listen(port: number): Promise<this> {
    ({ port: this.port } = await this.#server.listen(['127.0.0.1', '::1'], port));
    return this;
  }

  close = (): Promise<void> => this.#server.close();

  ask = (path: string, asking?: Asking): Promise<Answer> => ask(this.port, path, asking);
  /** The secret of a session, as the page gets it. */
  async session(): Promise<string> {
    const { body } = await changeCode(this.port, this.sessions.newCode());
    return (JSON.parse(body) as { secret: string }).secret;
  }

  /** A request of the page's own. */
  async post(
    path: string,
    body: object,
    secret: string,
  ): Promise<{ readonly status: number; readonly answer: Record<string, unknown> }> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${secret}` };
    const { status, body: text } = await this.ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status, answer: JSON.parse(text) as Record<string, unknown> };
  }
}
