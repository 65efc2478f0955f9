/** Requests to the console's server: each with the session's secret, each answer checked against the wire's shape. */
import { Mismatch, type Shape } from '../../../memory/shape.ts';
import { fail, type Result, succeed } from '../../../memory/result.ts';
import {
  type AnnotationAnswer,
  annotationAnswer,
  type AnnotationRequest,
  errorAnswer,
  type EventsAnswer,
  eventsAnswer,
  type EventsRequest,
  type MemoryAnswer,
  memoryAnswer,
  type MemoryRequest,
  paths,
  sessionAnswer,
} from '../../wire.ts';

/** Why there is no answer: `noSession`: the secret isn't valid (any more); otherwise in words for people. */
export type Failure = { readonly kind: 'noSession' | 'failed'; readonly message: string };

/** Nobody waits longer for an answer. */
const patienceMs = 30_000;

async function post<T>(
  path: string,
  secret: string | null,
  body: object,
  shape: Shape<T>,
): Promise<Result<T, Failure>> {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
      },
      body: JSON.stringify(body),
      credentials: 'omit',
      signal: AbortSignal.timeout(patienceMs),
    });
    const answer: unknown = await response.json().catch(() => null);
    if (!response.ok) {
      const said = errorAnswer.read(answer);
      const message = said instanceof Mismatch ? `the console answers ${response.status}` : said.error;
      return fail({ kind: response.status === 401 ? 'noSession' : 'failed', message });
    }
    const read = shape.read(answer);
    return read instanceof Mismatch
      ? fail({ kind: 'failed', message: 'the console answers what this page does not understand: load it anew' })
      : succeed(read);
  } catch {
    return fail({ kind: 'failed', message: unreachable });
  }
}

export const unreachable = 'the console does not answer: is “dimmer console” still running in its terminal?';

/** The session's secret for the link's one-time code. */
export const openSession = (code: string): Promise<Result<{ readonly secret: string }, Failure>> =>
  post(paths.session, null, { code }, sessionAnswer);

export const askEvents = (secret: string, body: EventsRequest): Promise<Result<EventsAnswer, Failure>> =>
  post(paths.events, secret, body, eventsAnswer);

export const setMemory = (secret: string, body: MemoryRequest): Promise<Result<MemoryAnswer, Failure>> =>
  post(paths.memory, secret, body, memoryAnswer);

export const annotate = (secret: string, body: AnnotationRequest): Promise<Result<AnnotationAnswer, Failure>> =>
  post(paths.annotation, secret, body, annotationAnswer);
