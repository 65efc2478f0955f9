/**
 * A connection that comes back. On each connect events are registered before anything is listed; the owner then lists,
 * and what happens meanwhile is kept and delivered afterwards, so that nothing is lost in between.
 */
import { type BackoffLimits, computeBackoffMs } from '../../runtime/backoff.ts';
import type { CallObservation } from './call-table.ts';
import { Connection, type KeepaliveOptions } from './connection.ts';
import type { Dial } from './dial.ts';
import { DialError } from './dial-error.ts';
import { isLibvirtError, LibvirtCallError, LibvirtDisconnectedError } from '../domain/errors.ts';
import type { DomainEvent } from '../domain/events.ts';
import { shakeHands } from './handshake.ts';
import { connectClose } from '../domain/connect-procedures.ts';
import type { Procedure } from './procedure.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { LibvirtEndpoint } from './uri.ts';

/** Why there is no connection, coarsely. */
export type ConnectFailureReason = 'NoDaemon' | 'Forbidden' | 'HandshakeFailed' | 'ResyncFailed' | 'Lost';

export type ConnectionChange =
  /** The daemon answers and events are registered. List now: events wait until the listener's promise is settled. */
  | { readonly kind: 'connected' }
  /** There is no connection (any more); it is tried again in `retryInMs`. */
  | {
      readonly kind: 'disconnected';
      readonly reason: ConnectFailureReason;
      /** For people. */
      readonly message: string;
      readonly retryInMs: number;
    };

export type ConnectionListener = (change: ConnectionChange) => void | Promise<void>;
export type EventListener = (event: DomainEvent) => void;

export type SessionOptions = {
  readonly endpoint: LibvirtEndpoint;
  readonly dial: Dial;
  readonly clock: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number;
  readonly keepalive?: KeepaliveOptions;
  /** For opening the socket and for each call of the handshake. */
  readonly handshakeDeadlineMs?: number;
  readonly onCall?: (observation: CallObservation) => void;
  /** A listener threw: a fault of ours, which must not end the connection. */
  readonly onListenerFault?: (error: unknown) => void;
};

const retryDelays: BackoffLimits = { initialMs: 100, maxMs: 5_000 };
/** More events than this during one resync: something is wrong, start afresh. */
const maxBufferedEvents = 10_000;
const defaultKeepalive: KeepaliveOptions = { intervalMs: 5_000, count: 3 };

function classifyConnectFailure(error: unknown): ConnectFailureReason {
  if (error instanceof DialError) return error.forbidden ? 'Forbidden' : 'NoDaemon';
  if (error instanceof LibvirtCallError && error.class === 'Forbidden') return 'Forbidden';
  return 'HandshakeFailed';
}

export class Session {
  readonly #options: SessionOptions;
  readonly #eventListeners = new Set<EventListener>();
  readonly #connectionListeners = new Set<ConnectionListener>();
  /** Stands: the handshake is done. */
  #connection: Connection | null = null;
  /** Still shaking hands. */
  #candidate: Connection | null = null;
  /** Events of the resync under way; null: they are delivered at once. */
  #buffer: DomainEvent[] | null = null;
  #attempt = 0;
  #started = false;
  #closed = false;
  #retryTimer: Timer | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Whether the daemon answered the handshake and the connection stands. */
  get connected(): boolean {
    return this.#connection !== null;
  }

  /** The answer removes the listener. */
  onEvent(listener: EventListener): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** The answer removes the listener. */
  onConnection(listener: ConnectionListener): () => void {
    this.#connectionListeners.add(listener);
    return () => this.#connectionListeners.delete(listener);
  }

  /** Begins to connect, and keeps connected until {@link close}. Does nothing the second time. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    void this.#connect();
  }

  /** Calls a procedure on the connection that stands. Rejects only with a LibvirtError. */
  call<Args, Result>(procedure: Procedure<Args, Result>, args: Args, deadlineMs: number): Promise<Result> {
    if (this.#connection === null) {
      return Promise.reject(new LibvirtDisconnectedError(procedure.name, false, 'not connected to libvirt'));
    }
    return this.#connection.call(procedure, args, deadlineMs);
  }

  /** Says good-bye to the daemon and ends. Calls still under way are rejected. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#retryTimer?.cancel();
    this.#candidate?.close('closed by us');
    const connection = this.#connection;
    if (connection === null) return;
    try {
      await connection.call(connectClose, undefined, 500);
    } catch (error) {
      if (!isLibvirtError(error)) throw error; // it needn't answer
    }
    connection.close('closed by us');
  }

  async #connect(): Promise<void> {
    const { endpoint, dial, clock, handshakeDeadlineMs = 10_000 } = this.#options;
    let connection: Connection | null = null;
    try {
      const socket = await dial(endpoint, handshakeDeadlineMs);
      connection = new Connection(socket, {
        clock,
        keepalive: this.#options.keepalive ?? defaultKeepalive,
        onCall: this.#options.onCall,
        onEvent: (event) => this.#receive(event),
        onClose: (reason) => this.#lost(reason),
      });
      this.#candidate = connection;
      this.#buffer = [];
      if (!this.#closed) await shakeHands(connection, endpoint.openUri, handshakeDeadlineMs);
    } catch (error) {
      this.#candidate = null;
      const reason = classifyConnectFailure(error);
      connection?.close('the handshake failed');
      this.#retry(reason, error instanceof Error ? error.message : String(error));
      return;
    }
    this.#candidate = null;
    if (this.#closed || connection.closed) {
      connection.close('closed by us');
      this.#retry('Lost', 'the connection ended right after the handshake');
      return;
    }
    this.#connection = connection;
    await this.#resync(connection);
  }

  /** Lets the owner list, then delivers what happened meanwhile. */
  async #resync(connection: Connection): Promise<void> {
    try {
      await this.#tell({ kind: 'connected' });
    } catch (error) {
      if (!isLibvirtError(error)) this.#options.onListenerFault?.(error);
      connection.close(`listing after the connect failed: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    if (this.#connection !== connection) return;
    this.#attempt = 0;
    const events = this.#buffer ?? [];
    this.#buffer = null;
    for (const event of events) this.#deliver(event);
  }

  #receive(event: DomainEvent): void {
    if (this.#buffer === null) {
      this.#deliver(event);
    } else if (this.#buffer.length < maxBufferedEvents) {
      this.#buffer.push(event);
    } else {
      this.#connection?.close(`more than ${maxBufferedEvents} events arrived while catching up`);
    }
  }

  #deliver(event: DomainEvent): void {
    for (const listener of this.#eventListeners) {
      try {
        listener(event);
      } catch (error) {
        this.#options.onListenerFault?.(error);
      }
    }
  }

  /** A connection that stood has ended. (One that never stood is the business of {@link #connect}.) */
  #lost(reason: string): void {
    if (this.#connection === null) return;
    this.#connection = null;
    this.#buffer = [];
    this.#retry('Lost', reason);
  }

  #retry(reason: ConnectFailureReason, message: string): void {
    if (this.#closed) return;
    const retryInMs = computeBackoffMs(this.#attempt, retryDelays, this.#options.random);
    this.#attempt++;
    this.#retryTimer = this.#options.clock.after(retryInMs, () => void this.#connect());
    this.#tell({ kind: 'disconnected', reason, message, retryInMs }).catch((error: unknown) =>
      this.#options.onListenerFault?.(error),
    );
  }

  async #tell(change: ConnectionChange): Promise<void> {
    await Promise.all([...this.#connectionListeners].map(async (listener) => listener(change)));
  }
}
