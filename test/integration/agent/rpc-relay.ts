/** A relay between the agent and libvirtd's socket that a test can stop at any call: crashes at an exact moment. */
import { connect, createServer } from 'node:net';
import { encodeFrame, FrameSplitter, frameType, remoteProgram } from '../../../src/libvirt/rpc/frames.ts';

/** Procedures to step in at (remote_protocol.x). */
export const procedures = {
  getXmlDesc: 14,
  attachDevice: 160,
  setMetadata: 264,
  setMemoryStatsPeriod: 308,
  detachDeviceAlias: 392,
} as const;

/**
 * What becomes of a call. `mute`: it reaches libvirtd, but nothing that libvirtd says on this connection from now on
 * reaches the agent.
 */
export type Fate = 'forward' | 'drop' | 'mute';

export type RpcRelay = {
  /** For the agent. */
  readonly uri: string;
  /** Asks `decide` what becomes of the next call of a procedure; it is held until that is known. Gives a promise of it. */
  readonly intercept: (procedure: number, decide: () => Fate | Promise<Fate>) => Promise<void>;
  /** Cuts every connection; new ones are relayed. */
  readonly disconnect: () => void;
  readonly close: () => void;
};

type Interception = {
  readonly procedure: number;
  readonly decide: () => Fate | Promise<Fate>;
  readonly done: () => void;
};

/** Listens on `path` and relays to the socket `target`, which may come and go. */
export async function startRpcRelay(path: string, target: string): Promise<RpcRelay> {
  let waiting: Interception[] = [];
  const closers = new Set<() => void>();
  const server = createServer((agent) => {
    const libvirtd = connect({ path: target });
    let muted = false;
    const close = (): void => {
      agent.destroy();
      libvirtd.destroy();
      closers.delete(close);
    };
    closers.add(close);
    for (const socket of [agent, libvirtd]) socket.on('error', close).on('close', close);
    libvirtd.on('data', (chunk: Buffer) => {
      if (!muted) agent.write(chunk);
    });
    const splitter = new FrameSplitter();
    agent.on('data', (chunk: Buffer) => {
      splitter.push(chunk, ({ header, payload }) => {
        const frame = encodeFrame(header, payload);
        const found = waiting.find(
          ({ procedure }) =>
            header.program === remoteProgram && header.type === frameType.call && header.procedure === procedure,
        );
        if (found === undefined) {
          libvirtd.write(frame);
          return;
        }
        waiting = waiting.filter((other) => other !== found);
        void Promise.resolve(found.decide()).then((fate) => {
          if (fate === 'mute') muted = true;
          if (fate !== 'drop') libvirtd.write(frame);
          found.done();
        });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    uri: `qemu:///system?socket=${path}`,
    intercept: (procedure, decide) =>
      new Promise((done) => {
        waiting.push({ procedure, decide, done });
      }),
    disconnect() {
      for (const close of closers) close();
    },
    close() {
      server.close();
      for (const close of closers) close();
    },
  };
}
