/** One socket to a libvirt daemon: frames, calls, keepalive and messages. It never reconnects; session.ts does. */
import type { Duplex } from 'node:stream';
import { type CallObservation, CallTable, encodingError } from './call-table.ts';
import { LibvirtCallError, LibvirtProtocolError } from '../domain/errors.ts';
import { connectionClosedProcedure, decodeEvent, type DomainEvent } from '../domain/events.ts';
import {
  encodeFrame,
  type Frame,
  FrameSplitter,
  frameStatus,
  frameType,
  keepaliveProgram,
  remoteProgram,
} from './frames.ts';
import { qemuProgram } from '../domain/monitor.ts';
import { type Procedure, readRemoteError } from './procedure.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import { XdrReader, XdrWriter } from './xdr.ts';

const protocolVersion = 1;
const ping = 1;
const pong = 2;

export type KeepaliveOptions = {
  /** A PING is sent after this long without a word from the daemon. */
  readonly intervalMs: number;
  /** After this many unanswered PINGs the connection is taken for dead. */
  readonly count: number;
};

export type ConnectionOptions = {
  readonly clock: Clock;
  readonly keepalive: KeepaliveOptions;
  readonly onEvent: (event: DomainEvent) => void;
  /** Called once, when the connection has ended, whatever ended it. */
  readonly onClose: (reason: string) => void;
  readonly onCall?: ((observation: CallObservation) => void) | undefined;
};

export class Connection {
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #splitter = new FrameSplitter();
  readonly #calls: CallTable;
  #closed = false;
  #pingTimer: Timer | null = null;
  #unansweredPings = 0;

  /** Takes over a connected socket. */
  constructor(socket: Duplex, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#calls = new CallTable({
      clock: options.clock,
      onCall: options.onCall,
      send: (serial, { program, number }, payload) => {
        this.#write(program, number, frameType.call, serial, payload);
      },
      onUnusable: (reason) => this.close(reason),
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.close(`the socket failed: ${error.message}`));
    socket.on('close', () => this.close('the daemon closed the connection'));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Starts sending PINGs. The daemon must have been asked for the feature (10) before. */
  startKeepalive(): void {
    this.#schedulePing();
  }

  /**
   * Calls a procedure. Rejects only with a LibvirtError.
   * @param deadlineMs from now, waiting for a place included
   */
  call<Args, Result>(procedure: Procedure<Args, Result>, args: Args, deadlineMs: number): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      let payload: Buffer;
      try {
        const writer = new XdrWriter();
        procedure.encode(writer, args);
        payload = writer.finish();
      } catch (cause) {
        reject(encodingError(procedure.name, cause));
        return;
      }
      this.#calls.add(
        {
          ...{ procedure: procedure.name, number: procedure.number, program: procedure.program },
          ...{ slow: procedure.slow, payload, deadlineMs },
        },
        {
          resolve: (reply) => {
            const reader = new XdrReader(reply);
            const result = procedure.decode(reader);
            reader.end();
            resolve(result);
          },
          reject,
        },
      );
    });
  }

  /** Ends the connection and every call that is still open. Does nothing the second time. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pingTimer?.cancel();
    this.#socket.destroy();
    this.#calls.close(reason);
    this.#options.onClose(reason);
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    this.#unansweredPings = 0;
    if (this.#pinging) this.#schedulePing();
    try {
      this.#splitter.push(chunk, (frame) => this.#handle(frame));
    } catch (error) {
      this.close(`what arrived is not libvirt's protocol: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #handle(frame: Frame): void {
    if (this.#closed) return;
    const { header } = frame;
    if (header.program === keepaliveProgram) {
      if (header.type === frameType.message && header.procedure === ping) this.#writeKeepalive(pong);
    } else if (
      header.type === frameType.reply &&
      (header.program === remoteProgram || header.program === qemuProgram)
    ) {
      this.#handleReply(frame);
    } else if (header.program === remoteProgram && header.type === frameType.message) {
      this.#handleMessage(frame);
    }
    // Anything else (another program, a stream) was never asked for and is passed over.
  }

  #handleReply({ header, payload }: Frame): void {
    const call = this.#calls.take(header.serial);
    if (call === null) return;
    try {
      if (header.procedure !== call.number || header.program !== call.program) {
        throw new Error(`reply to procedure ${header.procedure} of program ${header.program}`);
      }
      if (header.status === frameStatus.ok) {
        call.settle.resolve(payload);
      } else if (header.status === frameStatus.error) {
        call.settle.reject(new LibvirtCallError(readRemoteError(new XdrReader(payload)), call.procedure));
      } else {
        throw new Error(`reply with the unknown status ${header.status}`);
      }
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      call.settle.reject(new LibvirtProtocolError(call.procedure, true, problem));
      throw cause; // the daemon and we no longer understand each other: start afresh
    }
  }

  #handleMessage({ header, payload }: Frame): void {
    if (header.procedure === connectionClosedProcedure) {
      this.close('the daemon lost its connection to the hypervisor');
      return;
    }
    const event = decodeEvent(header.procedure, new XdrReader(payload));
    if (event !== null) this.#options.onEvent(event);
  }

  #pinging = false;

  #schedulePing(): void {
    this.#pinging = true;
    this.#pingTimer?.cancel();
    this.#pingTimer = this.#options.clock.after(this.#options.keepalive.intervalMs, () => {
      if (this.#unansweredPings >= this.#options.keepalive.count) {
        this.close(`the daemon left ${this.#unansweredPings} pings unanswered`);
        return;
      }
      this.#unansweredPings++;
      this.#writeKeepalive(ping);
      this.#schedulePing();
    });
  }

  #writeKeepalive(procedure: number): void {
    // MESSAGE with serial 0 and no payload (virkeepaliveprotocol.x).
    this.#write(keepaliveProgram, procedure, frameType.message, 0, Buffer.alloc(0));
  }

  #write(program: number, procedure: number, type: number, serial: number, payload: Buffer): void {
    const header = { program, version: protocolVersion, procedure, type, serial, status: frameStatus.ok };
    this.#socket.write(encodeFrame(header, payload));
  }
}
