/**
 * The calls of one connection: at most a few are with the daemon at a time, the others wait their turn, and every one
 * has a deadline. Knows nothing of sockets.
 */
import {
  LibvirtDeadlineError,
  LibvirtDisconnectedError,
  type LibvirtError,
  LibvirtProtocolError,
} from '../domain/errors.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';

/**
 * libvirtd takes `max_client_requests` calls of a connection at a time, 5 by default, and then stops reading the
 * socket, keepalive included: one stays free.
 */
export const maxInFlight = 4;
/** Slow calls leave one place to quick ones. */
const maxSlowInFlight = maxInFlight - 1;

/**
 * More calls than this never wait with a daemon that is well: catching up asks for two or three of each domain. A
 * daemon that sends events without an end, each of which makes us ask, would else fill our memory.
 */
export const maxQueued = 10_000;

/** How a call ended. */
export type CallOutcome = 'ok' | LibvirtError['kind'];

/** A call as a metric sees it. */
export type CallObservation = {
  readonly procedure: string;
  /** From the moment it was asked for, waiting in the queue included. */
  readonly durationMs: number;
  readonly outcome: CallOutcome;
};

/** What a reply is given to. Throws an XdrError when the payload isn't what the procedure says. */
type Settle = { readonly resolve: (payload: Buffer) => void; readonly reject: (error: LibvirtError) => void };

type Call = Settle & {
  readonly procedure: string;
  readonly number: number;
  readonly program: number;
  readonly slow: boolean;
  readonly payload: Buffer;
  readonly startedAt: number;
  readonly deadline: Timer;
  /** True once its deadline has passed: the daemon may still be working on it, so it still takes a place. */
  abandoned: boolean;
};

export type CallTableOptions = {
  readonly clock: Clock;
  /** Writes a CALL frame. */
  readonly send: (
    serial: number,
    procedure: { readonly program: number; readonly number: number },
    payload: Buffer,
  ) => void;
  readonly onCall: ((observation: CallObservation) => void) | undefined;
  /** Only a new connection helps. */
  readonly onUnusable: (reason: string) => void;
};

/** A call whose reply has come. */
export type TakenCall = {
  readonly procedure: string;
  readonly number: number;
  readonly program: number;
  readonly settle: Settle;
};

export class CallTable {
  readonly #options: CallTableOptions;
  readonly #queue: Call[] = [];
  readonly #inFlight = new Map<number, Call>();
  #nextSerial = 1;
  #closed: string | null = null;

  constructor(options: CallTableOptions) {
    this.#options = options;
  }

  /** Calls that wait for their turn. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Queues a call and sends it as soon as there is a place. */
  add(
    call: { procedure: string; number: number; program: number; slow: boolean; payload: Buffer; deadlineMs: number },
    settle: Settle,
  ): void {
    if (this.#closed !== null) {
      settle.reject(new LibvirtDisconnectedError(call.procedure, false, this.#closed));
      return;
    }
    const { clock } = this.#options;
    const entry: Call = {
      procedure: call.procedure,
      number: call.number,
      program: call.program,
      slow: call.slow,
      payload: call.payload,
      startedAt: clock.monotonic(),
      resolve: settle.resolve,
      reject: settle.reject,
      deadline: clock.after(call.deadlineMs, () => this.#expire(entry, call.deadlineMs)),
      abandoned: false,
    };
    this.#queue.push(entry);
    this.#pump();
    if (this.#queue.length > maxQueued) this.#options.onUnusable(`more than ${maxQueued} calls wait for the daemon`);
  }

  /**
   * The reply to the call of `serial`, or null when there is none. The call gives up its place; when its deadline has
   * passed the reply goes nowhere.
   */
  take(serial: number): TakenCall | null {
    const call = this.#inFlight.get(serial);
    if (call === undefined) return null;
    this.#inFlight.delete(serial);
    call.deadline.cancel();
    const settle: Settle = call.abandoned
      ? { resolve: () => undefined, reject: () => undefined }
      : {
          resolve: (payload) => {
            call.resolve(payload);
            this.#observe(call, 'ok');
          },
          reject: (error) => this.#fail(call, error),
        };
    queueMicrotask(() => this.#pump());
    return { procedure: call.procedure, number: call.number, program: call.program, settle };
  }

  /** Ends every call: those that were sent have an unknown outcome. Later ones are refused with the same reason. */
  close(reason: string): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    const sent = [...this.#inFlight.values()];
    const queued = this.#queue.splice(0);
    this.#inFlight.clear();
    for (const call of sent) {
      call.deadline.cancel();
      if (!call.abandoned) this.#fail(call, new LibvirtDisconnectedError(call.procedure, true, reason));
    }
    for (const call of queued) {
      call.deadline.cancel();
      this.#fail(call, new LibvirtDisconnectedError(call.procedure, false, reason));
    }
  }

  #pump(): void {
    while (this.#closed === null && this.#inFlight.size < maxInFlight) {
      const slowAllowed = [...this.#inFlight.values()].filter((call) => call.slow).length < maxSlowInFlight;
      const index = this.#queue.findIndex((call) => slowAllowed || !call.slow);
      const call = this.#queue[index];
      if (call === undefined) return;
      this.#queue.splice(index, 1);
      const serial = this.#takeSerial();
      this.#inFlight.set(serial, call);
      this.#options.send(serial, call, call.payload);
    }
  }

  /** The next serial that no call in flight has; u32, never 0. */
  #takeSerial(): number {
    while (this.#nextSerial === 0 || this.#inFlight.has(this.#nextSerial)) this.#advanceSerial();
    const serial = this.#nextSerial;
    this.#advanceSerial();
    return serial;
  }

  #advanceSerial(): void {
    this.#nextSerial = (this.#nextSerial + 1) >>> 0;
  }

  #expire(call: Call, deadlineMs: number): void {
    const index = this.#queue.indexOf(call);
    if (index >= 0) {
      this.#queue.splice(index, 1);
    } else {
      call.abandoned = true;
    }
    this.#fail(call, new LibvirtDeadlineError(call.procedure, index < 0, deadlineMs));
    if (this.#inFlight.size === maxInFlight && [...this.#inFlight.values()].every((other) => other.abandoned)) {
      this.#options.onUnusable('every place is taken by a call that was given up');
    }
  }

  #fail(call: Call, error: LibvirtError): void {
    call.reject(error);
    this.#observe(call, error.kind);
  }

  #observe(call: Call, outcome: CallOutcome): void {
    this.#options.onCall?.({
      procedure: call.procedure,
      durationMs: this.#options.clock.monotonic() - call.startedAt,
      outcome,
    });
  }
}

/** A failure to write arguments down, as the closed union's member. */
export const encodingError = (procedure: string, cause: unknown): LibvirtProtocolError =>
  new LibvirtProtocolError(procedure, false, cause instanceof Error ? cause.message : String(cause));
