/** A daemon in this process: says what a test tells it to, at the time a test tells it to. */
import { type Duplex, duplexPair } from 'node:stream';
import type { Dial } from '../../../../src/libvirt/rpc/dial.ts';
import { DialError } from '../../../../src/libvirt/rpc/dial-error.ts';
import { FrameSplitter } from '../../../../src/libvirt/rpc/frames.ts';
import { frameBytes, wire } from './wire.ts';

export type ReceivedCall = {
  readonly program: number;
  readonly procedure: number;
  readonly serial: number;
  readonly payload: Buffer;
};

/** What is answered: a payload, an error, or nothing for now. */
export type Answer = Buffer | { readonly code: number; readonly domain: number; readonly text: string } | 'silence';
export type Handler = (call: ReceivedCall) => Answer;

const ok = Buffer.alloc(0);
const yes = wire.int(1);

/** One accepted connection. */
export class FakePeer {
  readonly #daemon: FakeDaemon;
  readonly #socket: Duplex;
  readonly calls: ReceivedCall[] = [];
  pingsReceived = 0;
  pongsReceived = 0;
  ended = false;

  constructor(daemon: FakeDaemon, socket: Duplex) {
    this.#daemon = daemon;
    this.#socket = socket;
    const splitter = new FrameSplitter();
    socket.on('data', (chunk: Buffer) => {
      splitter.push(chunk, ({ header, payload }) => {
        if (header.program === 0x6b656570) {
          if (header.procedure === 2) this.pongsReceived++;
          else this.pingsReceived++;
          if (header.procedure === 1 && this.#daemon.answersPings) this.write(this.keepalive(2));
          return;
        }
        const { program, procedure, serial } = header;
        const call = { program, procedure, serial, payload: Buffer.from(payload) };
        this.calls.push(call);
        this.answer(call, this.#daemon.handle(call));
      });
    });
    socket.on('close', () => (this.ended = true));
    socket.on('error', () => undefined);
  }

  keepalive(procedure: 1 | 2): Buffer {
    return frameBytes({ program: 0x6b656570, procedure, type: 2 });
  }

  answer(call: ReceivedCall, answer: Answer): void {
    if (answer === 'silence') return;
    const head = { program: call.program, procedure: call.procedure, type: 1, serial: call.serial };
    if (Buffer.isBuffer(answer)) this.write(frameBytes(head, answer));
    else this.write(frameBytes({ ...head, status: 1 }, wire.error(answer.code, answer.domain, answer.text)));
  }

  /** An event: callback id, domain, then what belongs to the kind. */
  event(procedure: number, uuid: string, rest: Buffer = ok): void {
    const payload = Buffer.concat([wire.int(7), wire.domain(uuid, 'vm', 1), rest]);
    this.write(frameBytes({ procedure, type: 2, serial: 1 }, payload));
  }

  write(bytes: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  /** As if the daemon had been killed. */
  kill(): void {
    this.#socket.destroy();
  }
}

export class FakeDaemon {
  /** Whether a daemon listens at all. */
  listening = true;
  answersPings = true;
  readonly peers: FakePeer[] = [];
  /** By procedure; what isn't here is answered as a healthy daemon would. */
  readonly handlers = new Map<number, Handler>();
  /** QEMU's monitor, behind the program of its own. */
  monitor: Handler = () => 'silence';

  /** The newest connection. */
  get peer(): FakePeer {
    const peer = this.peers.at(-1);
    if (peer === undefined) throw new Error('nobody has connected');
    return peer;
  }

  readonly dial: Dial = async () => {
    await Promise.resolve();
    if (!this.listening) throw new DialError('nobody listens', 'ECONNREFUSED');
    const [client, server] = duplexPair();
    // duplexPair leaves the other half open when one is destroyed; a socket doesn't.
    server.once('close', () => client.destroy());
    client.once('close', () => server.destroy());
    this.peers.push(new FakePeer(this, server));
    return client;
  };

  handle(call: ReceivedCall): Answer {
    if (call.program === 0x20008087) return this.monitor(call);
    const handler = this.handlers.get(call.procedure);
    if (handler !== undefined) return handler(call);
    switch (call.procedure) {
      case 66: // AUTH_LIST
        return Buffer.concat([wire.int(1), wire.int(0)]);
      case 60: // SUPPORTS_FEATURE
      case 316: // REGISTER_ANY
        return yes;
      case 273: // LIST_ALL_DOMAINS
        return Buffer.concat([wire.int(0), wire.int(0)]);
      case 1: // OPEN
      case 2: // CLOSE
      case 360: // REGISTER_CLOSE_CALLBACK
        return ok;
      default:
        return { code: 39, domain: 7, text: `unknown procedure: ${call.procedure}` };
    }
  }
}
