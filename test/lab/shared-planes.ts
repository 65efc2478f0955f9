/**
 * API servers that test files have one after the other, each as if it were new: with deploy/ installed and nothing else. A
 * start costs 4 s of a processor, and there are thirty such files; one that kills its API server, or wants it empty, has
 * one of its own. The process that runs all tests has them (vitest's `globalSetup`), and files ask it over a socket:
 * whoever closes it, by ending if need be, has given the API server back, and what it left there is taken out of etcd.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ControlPlane, openControlPlane, type PlaneDescription, startControlPlane } from './control-plane.ts';
import { createLabDirectory, removeLabDirectory } from './directory.ts';
import { type EtcdClient, type EtcdContents, readContents, restoreContents } from './etcd.ts';
import { waitFor } from './wait.ts';

const deploy = join(import.meta.dirname, '../../deploy');

/** Names the socket to the processes of the test files. */
const VARIABLE = 'DIMMER_LAB_PLANES';

type SharedPlane = {
  readonly plane: ControlPlane;
  readonly etcd: EtcdClient;
  readonly contents: EtcdContents;
};

type Answer = { readonly plane: PlaneDescription } | { readonly error: string };

/** Vitest's: each project has it set up, and the first one does. Gives what ends it. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[VARIABLE] !== undefined) return undefined;
  const directory = createLabDirectory();
  const path = join(directory, 'planes');
  const all: SharedPlane[] = [];
  const free: SharedPlane[] = [];
  const sockets = new Set<Socket>();
  let isEnding = false;

  const serve = async (socket: Socket): Promise<void> => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    // Read, or its end is never heard of.
    socket.resume();
    let shared: SharedPlane | undefined;
    try {
      shared = free.pop() ?? (await startShared());
      if (!all.includes(shared)) all.push(shared);
      answer(socket, { plane: shared.plane.description });
    } catch (error) {
      answer(socket, { error: String(error) });
    }
    await closed;
    sockets.delete(socket);
    if (shared === undefined || isEnding) return;
    try {
      await clean(shared);
      free.push(shared);
    } catch (error) {
      // What can't be cleaned nobody gets again.
      process.stderr.write(`a shared API server can't be cleaned, and is ended: ${String(error)}\n`);
      await shared.plane.stop();
    }
  };
  const server = createServer((socket) => void serve(socket));
  server.listen(path);
  await once(server, 'listening');
  process.env[VARIABLE] = path;
  return async () => {
    isEnding = true;
    Reflect.deleteProperty(process.env, VARIABLE);
    server.close();
    for (const socket of sockets) socket.destroy();
    for (const { plane, etcd } of all) {
      etcd.close();
      await plane.stop();
    }
    removeLabDirectory(directory);
  };
}

const answer = (socket: Socket, words: Answer): void => void socket.write(`${JSON.stringify(words)}\n`);

async function startShared(): Promise<SharedPlane> {
  const plane = await startControlPlane();
  try {
    await installDimmer(plane);
    const etcd = plane.connectToEtcd();
    return { plane, etcd, contents: await readSettled(etcd) };
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

/** What is there once the API server has written what it still had to. */
async function readSettled(etcd: EtcdClient): Promise<EtcdContents> {
  const revisions = (contents: EtcdContents): string =>
    JSON.stringify([...contents].map(([key, of]) => [key, of.revision]));
  for (let contents = await readContents(etcd); ;) {
    await delay(500);
    const later = await readContents(etcd);
    if (revisions(later) === revisions(contents)) return later;
    contents = later;
  }
}

/** Whose lists must be as new as etcd before somebody reads them from the API server's cache. */
const kinds = [
  ...['/apis/dimmer.dev/v1alpha1/virtualmachinememories', '/apis/dimmer.dev/v1alpha1/hypervisorhosts'],
  ...['/api/v1/namespaces', '/api/v1/events', '/api/v1/secrets', '/apis/coordination.k8s.io/v1/leases'],
];

const LOOKS = 20;

async function clean({ plane, etcd, contents }: SharedPlane): Promise<void> {
  // What goes on by itself a moment longer, an event for example, is taken out by a second look.
  for (let look = 1; (await restoreContents(etcd, contents)) > 0; look++) {
    if (look === LOOKS) throw new Error('something goes on writing');
  }
  for (const kind of kinds) await plane.api.read(kind);
}

/** `kubectl apply -k deploy/`, and waits until the API server serves what is in it. */
export async function installDimmer({ kubectlOk, api }: Pick<ControlPlane, 'kubectlOk' | 'api'>): Promise<void> {
  await kubectlOk(['apply', '-k', deploy]);
  await kubectlOk(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all'], { timeoutMs: 70_000 });
  const served = '/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.dimmer.dev';
  await waitFor(async () => JSON.stringify(await api.read(served)).includes('"status":"True"'), {
    ...{ what: 'our API to be served', timeoutMs: 60_000, details: async () => JSON.stringify(await api.read(served)) },
  });
}

/** A control plane with deploy/ and nothing else; this process has it until it ends. One of its own where nobody gives any. */
export async function shareControlPlane(): Promise<ControlPlane> {
  const path = process.env[VARIABLE];
  if (path !== undefined) return openControlPlane(await borrow(path));
  const plane = await startControlPlane();
  try {
    await installDimmer(plane);
  } catch (error) {
    await plane.stop();
    throw error;
  }
  return plane;
}

async function borrow(path: string): Promise<PlaneDescription> {
  const socket = connect(path);
  let text = '';
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (piece: Buffer) => {
      text += piece.toString();
      if (text.endsWith('\n')) resolve();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('nobody gives API servers any more')));
  });
  const words = JSON.parse(text) as Answer;
  if ('error' in words) throw new Error(words.error);
  // Kept open, but no reason for this process to go on.
  socket.unref();
  return words.plane;
}
