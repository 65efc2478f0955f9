/**
 * The one table of what can go wrong between the controller and a hypervisor host.
 * The agent, its HTTP client and the controller share it; messages are for people and never parsed.
 */
import { inspect } from 'node:util';
import type { Result } from '../memory/result.ts';

/** What a caller does about an error. */
export type Recovery =
  /** Retry with backoff: nothing was done. */
  | 'retry'
  /** The outcome isn't known: observe, then plan anew. */
  | 'observe'
  /** Nothing was done, for a cause that may pass: try again, ever more slowly, since each try is work for the host. */
  | 'retry-slowly'
  /** Nothing changes until the resource, the VM or the host does; look again slowly. */
  | 'wait-for-change';

type Row = {
  /** HTTP status of the agent's answer; null when the error arises at the client. */
  readonly status: number | null;
  readonly title: string;
  readonly recovery: Recovery;
  /** Of a code that clients of 0.1.0 don't know: the one of theirs that has them do the right thing. */
  readonly olderCode?: string;
};

/** Stable codes. Those with a status travel as `type` and `code` in RFC 9457 problem documents. */
export const hostErrorTable = {
  // Raised by the client.
  unreachable: { status: null, title: 'The host agent could not be reached', recovery: 'retry' },
  timeout: {
    status: null,
    title: 'The host agent did not answer in time; the outcome is unknown',
    recovery: 'observe',
  },
  'bad-answer': {
    status: null,
    title: 'The host agent answered something that cannot be understood',
    recovery: 'retry',
  },
  'tls-rejected': { status: null, title: 'The TLS handshake with the host agent failed', recovery: 'wait-for-change' },
  // Raised by the agent.
  'bad-request': { status: 400, title: 'The request is malformed', recovery: 'wait-for-change' },
  'client-not-allowed': { status: 403, title: 'This client may not use the agent', recovery: 'wait-for-change' },
  // Observed again: whoever may not have the VM any more is told no more than that.
  'claimed-by-other': { status: 403, title: 'The VM is claimed by somebody else', recovery: 'observe' },
  'not-found': { status: 404, title: 'No such virtual machine', recovery: 'wait-for-change' },
  'no-such-module': { status: 404, title: 'No such memory module', recovery: 'observe' },
  'no-such-route': { status: 404, title: 'No such route', recovery: 'wait-for-change' },
  'method-not-allowed': { status: 405, title: 'The path has no such method', recovery: 'wait-for-change' },
  busy: { status: 409, title: 'The VM is busy', recovery: 'retry' },
  'not-leader': {
    status: 409,
    title: 'Another controller leads now',
    recovery: 'retry',
    olderCode: 'old-generation',
  },
  'old-generation': { status: 409, title: 'A newer generation has been acted for', recovery: 'observe' },
  'not-running': { status: 409, title: 'The VM is not running', recovery: 'observe' },
  'unplug-unsettled': { status: 409, title: 'Another module is still leaving', recovery: 'observe' },
  'stale-revision': { status: 412, title: 'The VM has changed since it was observed', recovery: 'observe' },
  'body-too-large': { status: 413, title: 'The request body is too large', recovery: 'wait-for-change' },
  rejected: { status: 422, title: 'The hypervisor rejected the change', recovery: 'wait-for-change' },
  // Short of memory mostly: libvirt has one code for all at which QEMU fails, and texts are never parsed.
  'hypervisor-failed': {
    status: 502,
    title: 'The hypervisor failed at the change',
    recovery: 'retry-slowly',
    olderCode: 'rejected',
  },
  'hotplug-unsupported': { status: 422, title: 'The VM does not support memory hotplug', recovery: 'wait-for-change' },
  'guest-memory-in-use': { status: 422, title: 'The guest is using the memory', recovery: 'observe' },
  'guest-memory-unknown': { status: 422, title: 'The guest does not report its memory', recovery: 'observe' },
  'guest-late': {
    status: 422,
    title: 'The guest has not answered what memory it has',
    recovery: 'retry',
    olderCode: 'guest-memory-unknown',
  },
  'revision-required': {
    status: 428,
    title: 'If-Match with the observed revision is required',
    recovery: 'wait-for-change',
  },
  'too-many-requests': { status: 429, title: 'Too many requests', recovery: 'retry' },
  'internal-error': { status: 500, title: 'The agent failed', recovery: 'retry' },
  'hypervisor-unreachable': { status: 503, title: 'The agent cannot reach libvirt', recovery: 'retry' },
  'outcome-unknown': {
    status: 504,
    title: 'libvirt did not answer in time; the outcome is unknown',
    recovery: 'observe',
  },
  'insufficient-host-memory': { status: 507, title: 'The host has too little memory', recovery: 'retry' },
  'hugepages-unavailable': { status: 507, title: 'The host has too few huge pages', recovery: 'retry' },
  'namespace-limit': {
    status: 507,
    title: 'The namespace has as much of the host as it may',
    recovery: 'retry',
    olderCode: 'insufficient-host-memory',
  },
} as const satisfies Record<string, Row>;

export type HostErrorCode = keyof typeof hostErrorTable;

/** An error as data: what happened, in words for a person, naming the thing and the way out. */
export type HostError = {
  readonly code: HostErrorCode;
  readonly message: string;
  /** Where the error came from, for logs: the original error's text. */
  readonly cause?: string;
  /** Of `too-many-requests`: how long the host wants to be left alone, ms. */
  readonly retryAfterMs?: number;
  /** Of `not-leader`: the epoch of the newest leader that the host knows. */
  readonly newestEpoch?: number;
};

/** What a caller does about `error`. */
export const recoveryOf = (error: HostError): Recovery => hostErrorTable[error.code].recovery;

/** Codes that leave it open whether a change was made: the answer is lost, or tells of a failure half-way. */
const uncertain: ReadonlySet<HostErrorCode> = new Set<HostErrorCode>([
  'unreachable',
  'timeout',
  'bad-answer',
  'internal-error',
  'hypervisor-unreachable',
  'outcome-unknown',
]);

/** Whether the change that `error` answers may have been made all the same. */
export const mayHaveBeenDone = (error: HostError): boolean => uncertain.has(error.code);

/** Whether `code` is one of the table. */
export const isHostErrorCode = (code: unknown): code is HostErrorCode =>
  typeof code === 'string' && Object.hasOwn(hostErrorTable, code);

/** What comes before the code in the `type` of a problem document. */
export const problemTypePrefix = 'https://dimmer.dev/problems/';

/** The `code` of a problem document: one that every client knows (docs/adr/0026-what-is-not-known-is-kept.md). */
export function widelyKnownCode(code: HostErrorCode): string {
  const row: Row = hostErrorTable[code];
  return row.olderCode ?? code;
}

/**
 * The code that a problem document stands for: what its type says if that is known, else its `code`. Null: neither is
 * one that an agent raises.
 */
export function codeOfProblem({ type, code }: { readonly type: string; readonly code: string }): HostErrorCode | null {
  const said = type.startsWith(problemTypePrefix) ? type.slice(problemTypePrefix.length) : code;
  const known = [said, code].find((word) => isHostErrorCode(word) && hostErrorTable[word].status !== null);
  return (known as HostErrorCode | undefined) ?? null;
}

/** Makes an error; `cause` is normalised to its text. */
export function hostError(code: HostErrorCode, message: string, cause?: unknown): HostError {
  if (cause === undefined) return { code, message };
  return {
    code,
    message,
    cause: cause instanceof Error ? cause.message : typeof cause === 'string' ? cause : inspect(cause),
  };
}

/** The answer of a call that can fail. */
export type HostAnswer<T> = Result<T, HostError>;
