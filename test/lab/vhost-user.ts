import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';

/**
 * A vhost-user backend that does nothing: what QEMU needs to hear of one before it starts a device (QEMU,
 * docs/interop/vhost-user.rst). It offers none of the protocol's features, so that QEMU counts on room for eight regions of
 * memory (hw/virtio/vhost-user.c; a backend that has no such features to offer gets none at all).
 */
export type VhostUserBackend = {
  /** XML of a network interface that has it, for `<devices>`. */
  readonly deviceXml: string;
  readonly stop: () => Promise<void>;
};

/** What shares a guest's memory with another process, for `<domain>`. */
export const sharedMemoryXml = `<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>`;

const HEADER_BYTES = 12;
const GET_FEATURES = 1;
const GET_VRING_BASE = 11;
const GET_PROTOCOL_FEATURES = 15;
const IS_REPLY = 0b101;
const VHOST_USER_F_PROTOCOL_FEATURES = 1n << 30n;
const VIRTIO_F_VERSION_1 = 1n << 32n;

/** The answer to a message; null where none is expected. */
function answer(request: number): Buffer | null {
  if (![GET_FEATURES, GET_VRING_BASE, GET_PROTOCOL_FEATURES].includes(request)) return null;
  const reply = Buffer.alloc(HEADER_BYTES + 8);
  for (const [index, value] of [request, IS_REPLY, 8].entries()) reply.writeUInt32LE(value, 4 * index);
  if (request === GET_FEATURES)
    reply.writeBigUInt64LE(VIRTIO_F_VERSION_1 | VHOST_USER_F_PROTOCOL_FEATURES, HEADER_BYTES);
  return reply;
}

function serve(socket: Socket): void {
  let text = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (piece) => {
    text = Buffer.concat([text, Buffer.from(piece)]);
    while (text.length >= HEADER_BYTES && text.length >= HEADER_BYTES + text.readUInt32LE(8)) {
      const reply = answer(text.readUInt32LE(0));
      if (reply !== null) socket.write(reply);
      text = text.subarray(HEADER_BYTES + text.readUInt32LE(8));
    }
  });
}

/** Listens on `socketPath` until it is stopped. */
export async function startVhostUser(socketPath: string): Promise<VhostUserBackend> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return {
    deviceXml: `<interface type='vhostuser'><source type='unix' path='${socketPath}' mode='client'/><model type='virtio'/></interface>`,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(socketPath, { force: true });
    },
  };
}
