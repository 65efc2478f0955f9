/** Requests to one host agent over HTTPS with mutual TLS: kept connections, deadlines, rotated certificates, errors. */
import { type Dispatcher, Pool } from 'undici';
import type { Clock } from '../../runtime/clock.ts';
import { DeadlineExceeded, EndlessAnswer, exchange, GivenUp } from '../../runtime/exchange.ts';
import { parseRetryAfter } from '../../runtime/retry-after.ts';
import { modernTls, sharedContext } from '../../runtime/tls-suites.ts';
import { Mismatch, type Shape } from '../../memory/shape.ts';
import { type HostAnswer, hostError, type HostError, codeOfProblem } from '../errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import type { TlsFiles, TlsMaterial } from '../../runtime/tls-files.ts';
import { problem } from './api/problem.ts';
import { newestEpochHeader, readVersion } from './api/headers.ts';

export type HttpsTransportOptions = {
  /** `https://name:port`, without a path. */
  readonly address: string;
  /** The name in the agent's certificate, when it isn't the one in the address. */
  readonly tlsServerName?: string | undefined;
  readonly tls: TlsFiles;
  readonly clock: Clock;
};

export type HttpsRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From now until the last byte of the answer. */
  readonly deadlineMs: number;
  /** Ends it before that. Not for changes: the answer leaves it open whether they were made. */
  readonly signal?: AbortSignal | undefined;
};

/** A layout of 256 modules takes 40 KiB; a whole host's layouts stay far below this. */
const maxAnswerBytes = 16 * 1024 * 1024;
const connectTimeoutMs = 4_000;
/**
 * What is asked waits in line elsewhere (host-line.ts): its 8 looks, the 64 changes that a HypervisorHost may allow at
 * most, and the stream of events never wait here, where their deadlines run already.
 */
const maxConnections = 73;

/** Raised by OpenSSL and Node's tls for certificates that don't fit, either way round. */
const tlsErrorPattern =
  /^(CERT_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(CA|PURPOSE)|EPROTO|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED|CRL_)/;
const resetCodes: readonly (string | undefined)[] = ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'];

/** The address as a URL. @throws RangeError when it isn't `https://host[:port]` */
function parseAgentAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '' || url.username !== '') {
    throw new RangeError(`'${address}' is not an address of the form https://host:port`);
  }
  return url;
}

/** `retryAfterMs`: from now; null: the answer doesn't say. */
type Received = {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number | null;
  readonly newestEpoch: number | undefined;
};

type Failure = { readonly code: string | undefined; readonly message: string };

const describeFailure = (error: unknown): Failure => {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const code = inner instanceof Error && 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined;
  return { code, message: inner instanceof Error && inner.message !== '' ? inner.message : error.message };
};

export class HttpsTransport {
  readonly #options: HttpsTransportOptions;
  readonly #url: URL;
  readonly #unsubscribe: () => void;
  #pool: Pool;
  #closed = false;

  /** @throws RangeError when the address is none */
  constructor(options: HttpsTransportOptions) {
    this.#options = options;
    this.#url = parseAgentAddress(options.address);
    this.#pool = this.#createPool(options.tls.current());
    this.#unsubscribe = options.tls.subscribe((material) => {
      const old = this.#pool;
      this.#pool = this.#createPool(material);
      void old.close();
    });
  }

  /** Sends a request and reads the whole answer, a JSON document of this shape. Never throws. */
  async call<T>(request: HttpsRequest, shape: Shape<T>): Promise<HostAnswer<T>> {
    const answer = await this.#exchange(request);
    if (!answer.ok) return answer;
    const { status, text, retryAfterMs, newestEpoch } = answer.value;
    const misread = (mismatch: Mismatch) =>
      fail(this.#badAnswer(`status ${status}: ${mismatch.explain('the answer')}`));
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      return fail(this.#badAnswer(`status ${status} without a JSON document`));
    }
    if (status >= 200 && status < 300) {
      const read = shape.read(json);
      return read instanceof Mismatch ? misread(read) : succeed(read);
    }
    const told = problem.read(json);
    if (told instanceof Mismatch) return misread(told);
    const code = codeOfProblem(told);
    if (code === null) {
      return fail(this.#badAnswer(`status ${status} with the unknown code '${told.code.slice(0, 64)}'`));
    }
    return fail({
      ...hostError(code, told.detail),
      ...(retryAfterMs === null ? {} : { retryAfterMs }),
      ...(newestEpoch === undefined ? {} : { newestEpoch }),
    });
  }

  /**
   * Opens an answer that is read as it comes. The caller aborts `signal` to end it.
   * @throws what undici throws; {@link HttpsTransport.explain} puts it into words
   */
  stream(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    silenceMs: number,
  ): Promise<Dispatcher.ResponseData> {
    return this.#pool.request({ method: 'GET', path, headers, signal, headersTimeout: 10_000, bodyTimeout: silenceMs });
  }

  /** What a failed exchange means. `mutation`: something may have been done. `again`: it failed the same way twice. */
  explain(error: unknown, how: { readonly mutation: boolean; readonly again: boolean }): HostError {
    const { code, message } = describeFailure(error);
    const where = this.#url.host;
    if (code !== undefined && tlsErrorPattern.test(code)) {
      return hostError('tls-rejected', `The TLS handshake with the agent at ${where} failed: ${message}`, code);
    }
    if (resetCodes.includes(code)) {
      if (how.mutation)
        return hostError('timeout', `The agent at ${where} ended the connection before it answered`, code);
      // Node's TLS server drops a client whose certificate it doesn't accept without an alert, after the handshake.
      if (how.again) {
        return hostError(
          'tls-rejected',
          `The agent at ${where} ends every connection at once: it probably does not accept the client certificate`,
          code,
        );
      }
    }
    if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
      return hostError('timeout', `The agent at ${where} did not answer in time`, code);
    }
    return hostError('unreachable', `The agent at ${where} could not be reached: ${message}`, code);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    await this.#pool.destroy();
  }

  #createPool(material: TlsMaterial): Pool {
    const { tlsServerName } = this.#options;
    return new Pool(this.#url.origin, {
      connections: maxConnections,
      pipelining: 1,
      keepAliveTimeout: 30_000,
      keepAliveMaxTimeout: 60_000,
      connect: {
        ...sharedContext({ ca: material.ca, cert: material.cert, key: material.key, ...modernTls }),
        timeout: connectTimeoutMs,
        ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
      },
    });
  }

  async #exchange(request: HttpsRequest): Promise<HostAnswer<Received>> {
    const { clock } = this.#options;
    const mutation = request.method !== 'GET';
    const endMs = clock.monotonic() + request.deadlineMs;
    // A kept connection may just be closing: what only reads is tried once more.
    for (let again = false; ; again = true) {
      try {
        return succeed(await this.#once(request, Math.max(0, endMs - clock.monotonic())));
      } catch (error) {
        if (error instanceof DeadlineExceeded || error instanceof GivenUp) {
          const late = error instanceof GivenUp ? 'before it was given up' : `in ${request.deadlineMs} ms`;
          return fail(hostError('timeout', `The agent at ${this.#url.host} did not answer ${late}`));
        }
        if (error instanceof EndlessAnswer) return fail(this.#badAnswer('the answer has no end'));
        const retriable = !mutation && !again && resetCodes.includes(describeFailure(error).code);
        if (!retriable) return fail(this.explain(error, { mutation, again }));
      }
    }
  }

  async #once({ method, path, headers, body, signal }: HttpsRequest, deadlineMs: number): Promise<Received> {
    const { clock } = this.#options;
    const answer = await exchange(this.#pool, {
      method,
      path,
      body: body ?? null,
      headers: {
        accept: 'application/json, application/problem+json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      clock,
      deadlineMs,
      signal,
      maxAnswerBytes,
    });
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], clock.now());
    const newestEpoch = readVersion(answer.headers[newestEpochHeader]);
    return { status: answer.status, text: answer.text, retryAfterMs, newestEpoch };
  }

  #badAnswer(problem: string): HostError {
    return hostError(
      'bad-answer',
      `The agent at ${this.#url.host} answered something that is not its API (${problem})`,
    );
  }
}
