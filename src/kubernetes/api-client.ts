/** Requests to the API server, and the one table that says what a failed one means. */
import type { Readable } from 'node:stream';
import { type Dispatcher, errors } from 'undici';
import { type Answer, DeadlineExceeded, exchange } from '../runtime/exchange.ts';
import { parseRetryAfter } from '../runtime/retry-after.ts';
import type { Access, AccessProvider } from './connect.ts';
import type { RequestObserver } from './request-metrics.ts';
import { finiteNumber, isObject, lenient, Mismatch, object, orElse, text as anyText, those } from '../memory/shape.ts';
import { fail, type Result, succeed } from '../memory/result.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';

export type ApiFailureKind =
  | 'unreachable' /* no connection, or it broke */
  | 'timeout' /* no answer in time; a write may have been carried out */
  | 'garbled' /* an answer that isn't what an API server sends */
  | 'credentials' /* ours can't be read */
  | 'aborted' /* by us */
  | 'status'; /* the server said no */

export type ApiFailure = {
  readonly kind: ApiFailureKind;
  /** HTTP status; 0 unless `kind` is status. */
  readonly status: number;
  /** metav1.Status.reason, such as `Expired`, or {@link namespaceTerminating}; empty when there is none. */
  readonly reason: string;
  readonly message: string;
  readonly retryAfterMs?: number;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
};

export type ApiResult<T> = Result<T, ApiFailure>;

export type ApiRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** From the root, already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** Default application/json. */
  readonly contentType?: string;
  /** For the whole exchange; default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

export interface ApiClient {
  /** One request with a JSON answer. Never rejects. */
  send(request: ApiRequest): Promise<ApiResult<Readonly<Record<string, unknown>>>>;
  /** A response that goes on: its body, once the server has accepted. `signal` ends it. Never rejects. */
  stream(request: ApiRequest & { readonly signal: AbortSignal }): Promise<ApiResult<Readable>>;
}

const defaultTimeoutMs = 30_000;

/** What one attempt at a request is sent with. */
type Target = {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly dispatcher: Dispatcher;
};

/** What the server has answered, and what can be made of it. */
type Attempted<T> = { readonly status: number; readonly outcome: ApiResult<T> };

/** A client that asks again once with fresh credentials when the server turns the present ones down (401). */
export function createApiClient(
  access: AccessProvider,
  observe: RequestObserver = () => undefined,
  clock: Pick<Clock, 'monotonic'> = systemClock,
): ApiClient {
  const call = async <T>(
    request: ApiRequest,
    attempt: (target: Target) => Promise<Attempted<T>>,
  ): Promise<ApiResult<T>> => {
    let credentials;
    try {
      credentials = await access.current();
    } catch (cause) {
      return failed({ kind: 'credentials', message: messageOf(cause), retryable: true });
    }
    const { target, host } = aim(request, credentials);
    const sentAtMs = clock.monotonic();
    let status: number | null = null;
    try {
      const attempted = await attempt(target);
      ({ status } = attempted);
      return attempted.outcome;
    } catch (error) {
      return failed(classify(error, request.signal));
    } finally {
      observe(request.method, host, status, (clock.monotonic() - sentAtMs) / 1000);
    }
  };

  const withFreshCredentials = async <T>(attempt: () => Promise<ApiResult<T>>): Promise<ApiResult<T>> => {
    const first = await attempt();
    if (first.ok || first.error.status !== 401) return first;
    access.invalidate();
    return attempt();
  };

  return {
    send: (request) =>
      withFreshCredentials(() =>
        call(request, async ({ dispatcher, ...target }) => {
          const { status, headers, text } = await exchange(dispatcher, {
            ...target,
            method: request.method,
            clock: systemClock,
            deadlineMs: request.timeoutMs ?? defaultTimeoutMs,
            signal: request.signal,
            // A page of a list is as long as its objects are.
            maxAnswerBytes: Infinity,
          });
          return { status, outcome: status < 300 ? readObject(text) : fail(readFailure(status, headers, text)) };
        }),
      ),
    stream: (request) =>
      withFreshCredentials(() =>
        call(request, async ({ dispatcher, ...target }) => {
          const response = await dispatcher.request({
            ...target,
            method: request.method,
            signal: request.signal,
            headersTimeout: request.timeoutMs ?? defaultTimeoutMs,
            // Whoever reads the body says how long it may be silent.
            bodyTimeout: 0,
          });
          const { statusCode: status, headers, body } = response;
          if (status < 300) return { status, outcome: succeed<Readable>(body) };
          // The status line says enough where the rest can't be read.
          const text = await body.text().catch(() => '');
          return { status, outcome: fail(readFailure(status, headers, text)) };
        }),
      ),
  };
}

/** Where and with what a request goes. */
function aim(request: ApiRequest, { server, headers, dispatcher }: Access): { target: Target; host: string } {
  const url = new URL(server + request.path);
  for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
  const body = request.body === undefined ? null : JSON.stringify(request.body);
  return {
    host: url.host,
    target: {
      origin: url.origin,
      path: url.pathname + url.search,
      body,
      headers: {
        ...headers,
        accept: 'application/json',
        ...(body === null ? {} : { 'content-type': request.contentType ?? 'application/json' }),
      },
      dispatcher,
    },
  };
}

/** @throws SyntaxError when it isn't JSON */
function readObject(text: string): ApiResult<Readonly<Record<string, unknown>>> {
  const body: unknown = JSON.parse(text);
  if (isObject(body)) return succeed(body);
  return failed({ kind: 'garbled', message: 'the answer is not a JSON object', retryable: true });
}

type Failing = Partial<ApiFailure> & Pick<ApiFailure, 'kind' | 'message' | 'retryable'>;

const failed = (failure: Failing): Result<never, ApiFailure> => fail({ status: 0, reason: '', ...failure });

const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  // An AggregateError (several addresses tried) has an empty message of its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error.message;
};

function classify(error: unknown, callerSignal: AbortSignal | undefined): Failing {
  if (callerSignal?.aborted === true) return { kind: 'aborted', message: 'given up', retryable: true };
  if (error instanceof SyntaxError) return { kind: 'garbled', message: error.message, retryable: true };
  const isTimeout =
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    error instanceof DeadlineExceeded;
  // A connect timeout is no doubt about the outcome: nothing was sent.
  return { kind: isTimeout ? 'timeout' : 'unreachable', message: messageOf(error), retryable: true };
}

/** The cause of a 403 for whatever would be created in a namespace that is being deleted (core/v1 NamespaceTerminatingCause). */
export const namespaceTerminating = 'NamespaceTerminating';

/** Statuses that the same request will meet again: it is wrong, or there is no such thing. */
const hopeless: ReadonlySet<number> = new Set([400, 404, 405, 406, 409, 410, 413, 415, 422]);

function readFailure(status: number, headers: Answer['headers'], text: string): ApiFailure {
  const parsed = parseStatus(text);
  const retryAfterMs = parseRetryAfter(headers['retry-after'], systemClock.now()) ?? parsed.retryAfterMs;
  return {
    kind: 'status',
    status,
    reason: parsed.reason,
    message: `${status}: ${parsed.message === '' ? 'no explanation' : parsed.message}`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    retryable: !hopeless.has(status),
  };
}

/** The parts of a metav1.Status that matter here. */
const metaStatus = object({
  reason: orElse('', anyText()),
  message: orElse('', anyText()),
  details: orElse(
    {},
    object({
      retryAfterSeconds: lenient(finiteNumber),
      causes: lenient(those(object({ reason: anyText() }))),
    }),
  ),
});

function parseStatus(text: string): { reason: string; message: string; retryAfterMs?: number } {
  try {
    const status = metaStatus.read(JSON.parse(text));
    if (!(status instanceof Mismatch)) {
      const { retryAfterSeconds: seconds = 0, causes = [] } = status.details;
      // Told apart from a missing right only by its cause: it stays forbidden, however often it is tried.
      const isTerminating = causes.some(({ reason }) => reason === namespaceTerminating);
      return {
        reason: isTerminating ? namespaceTerminating : status.reason,
        message: status.message,
        ...(seconds <= 0 ? {} : { retryAfterMs: seconds * 1000 }),
      };
    }
  } catch {
    // Not a Status: a proxy or the filter chain may answer in plain text.
  }
  return { reason: '', message: text.trim().slice(0, 500) };
}
