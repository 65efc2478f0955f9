/** Errors on the wire: RFC 9457 problem documents, whose `type` tells the code. */
import type { FastifyReply } from 'fastify';
import { MalformedRequest } from './shape-compilers.ts';
import { newestEpochHeader } from '../../host/http/api/headers.ts';
import { type HostError, hostError, hostErrorTable, problemTypePrefix, widelyKnownCode } from '../../host/errors.ts';

/** Whoever has too much in hand comes back after so long: longer than almost any request takes. */
const retryAfterMs = 1_000;

/** Answers with `error`. Codes that only a client raises can't come from here and count as our own failure. */
export function sendProblem(reply: FastifyReply, error: HostError): FastifyReply {
  const row = hostErrorTable[error.code];
  const status = row.status ?? 500;
  if (error.code === 'too-many-requests') {
    reply.header('retry-after', String(Math.ceil((error.retryAfterMs ?? retryAfterMs) / 1_000)));
  }
  if (error.newestEpoch !== undefined) reply.header(newestEpochHeader, String(error.newestEpoch));
  return reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .send(
      // As bytes: to a text Fastify would add a charset, which the media type doesn't have (RFC 9457, section 6.1).
      Buffer.from(
        JSON.stringify({
          type: `${problemTypePrefix}${error.code}`,
          title: row.title,
          status,
          code: widelyKnownCode(error.code),
          detail: error.message,
          instance: `urn:request:${reply.request.id}`,
        }),
      ),
    );
}

/** What Fastify raises before a handler runs, as an error of the table. Texts of ours are told, others are not. */
export function classifyFrameworkError(error: {
  readonly code?: string;
  readonly message: string;
  readonly statusCode?: number;
}): HostError {
  if (error instanceof MalformedRequest) return hostError('bad-request', error.message);
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return hostError('body-too-large', 'The request body is larger than 16 KiB');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return hostError('bad-request', 'The request body must be application/json');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return hostError('bad-request', 'The request body is not a JSON document');
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_MAX_PARAM_LENGTH':
    case 'FST_ERR_ASYNC_CONSTRAINT':
      return hostError('no-such-route', 'There is nothing under this address');
    default:
      return (error.statusCode ?? 500) < 500
        ? hostError('bad-request', 'The request is malformed')
        : hostError('internal-error', 'The agent failed; its log has the details', error.message);
  }
}
