import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { type ApiClient, createApiClient } from '../../../../src/kubernetes/api-client.ts';
import type { AccessProvider } from '../../../../src/kubernetes/connect.ts';

/** One request and the pen to answer it with. */
export type Exchange = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  /** Answers with JSON and ends. */
  readonly reply: (status: number, body: unknown, headers?: Record<string, string>) => void;
  /** Answers with a metav1.Status and ends. */
  readonly refuse: (status: number, reason: string, headers?: Record<string, string>) => void;
  /** Sends raw text and goes on. */
  readonly write: (text: string) => void;
  /** Sends one watch event and goes on. */
  readonly event: (type: string, object: unknown) => void;
  readonly end: () => void;
  /** Cuts the connection without a goodbye. */
  readonly cut: () => void;
};

export type Script = (exchange: Exchange) => void;

/**
 * An API server that does what the test's scripts say: the n-th list (or watch, or write) is answered by the n-th
 * script, and the last script goes on answering.
 */
export class FakeApiServer {
  readonly exchanges: Exchange[] = [];
  readonly lists: Script[] = [];
  readonly watches: Script[] = [];
  readonly writes: Script[] = [];
  /** What the client believes the credentials are, and how often it was told to look again. */
  token = 'first';
  invalidations = 0;
  connections = 0;
  readonly #server: Server;
  readonly #agent = new Agent({ allowH2: false });
  readonly #answered = { lists: 0, watches: 0, writes: 0 };

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('connection', () => (this.connections += 1));
  }

  static async start(): Promise<FakeApiServer> {
    const fake = new FakeApiServer();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  client(): ApiClient {
    const access: AccessProvider = {
      current: () =>
        Promise.resolve({
          server: this.url,
          headers: { authorization: `Bearer ${this.token}` },
          dispatcher: this.#agent,
        }),
      invalidate: () => {
        this.invalidations += 1;
        this.token = 'fresh';
      },
      close: () => Promise.resolve(),
    };
    return createApiClient(access);
  }

  get listed(): readonly Exchange[] {
    return this.exchanges.filter(({ method, query }) => method === 'GET' && !query.has('watch'));
  }

  get watched(): readonly Exchange[] {
    return this.exchanges.filter(({ query }) => query.has('watch'));
  }

  get written(): readonly Exchange[] {
    return this.exchanges.filter(({ method }) => method !== 'GET');
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? '/', this.url);
    const reply: Exchange['reply'] = (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    const write = (piece: string): void => {
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' });
      response.write(piece);
    };
    const exchange: Exchange = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
      reply,
      refuse: (status, reason, headers) =>
        reply(status, { kind: 'Status', status: 'Failure', code: status, reason, message: `${reason}!` }, headers),
      write,
      event: (type, object) => write(`${JSON.stringify({ type, object })}\n`),
      end: () => response.end(),
      cut: () => response.socket?.destroy(),
    };
    this.exchanges.push(exchange);
    const list = exchange.method !== 'GET' ? 'writes' : exchange.query.has('watch') ? 'watches' : 'lists';
    const scripts = this[list];
    const script = scripts[Math.min(this.#answered[list]++, scripts.length - 1)];
    if (script === undefined) throw new Error(`no script for ${exchange.method} ${url.href}`);
    script(exchange);
    // As the API server does: the watch is accepted before there is anything to tell.
    if (list === 'watches' && !response.headersSent) response.flushHeaders();
  }
}
