import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dialEndpoint } from '../../../src/libvirt/rpc/dial.ts';
import { DialError } from '../../../src/libvirt/rpc/dial-error.ts';

let directory: string;
const servers: Server[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dimmer-dial-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

/** A daemon that greets. */
async function listen(name: string): Promise<string> {
  const path = join(directory, name);
  const server = createServer((socket) => socket.end(name));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

const dial = (...sockets: string[]) => dialEndpoint({ transport: 'unix', sockets, openUri: 'qemu:///system' }, 1_000);

async function greeting(...sockets: string[]): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await dial(...sockets)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe('a UNIX socket', () => {
  test('is the first on which somebody listens', async () => {
    const missing = join(directory, 'missing');
    const monolithic = await listen('monolithic');
    expect(await greeting(missing, monolithic)).toBe('monolithic');
    const modular = await listen('modular');
    expect(await greeting(modular, monolithic)).toBe('modular');
  });

  test('that is not there, or that nobody listens on, is named with what the system said', async () => {
    const missing = join(directory, 'missing');
    const plain = join(directory, 'plain');
    await writeFile(plain, '');
    await expect(dial(missing)).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining(missing) as string,
    });
    const failure = await dial(missing, plain, missing).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DialError);
    expect(failure).toMatchObject({ code: 'ECONNREFUSED', forbidden: false });
    expect((failure as DialError).message).toMatch(/missing.*plain.*missing/);
  });
});

test('what is forbidden is told from what is only away', () => {
  const forbidden = (code: string): boolean => new DialError('', code).forbidden;
  const says = ['EACCES', 'EPERM', 'TLS_REFUSED', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED'];
  expect([...says, 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'].map(forbidden)).not.toContain(false);
  expect(['ENOENT', 'ECONNREFUSED', 'ETIMEDOUT', 'ECONNRESET', 'ENOTFOUND', 'UNKNOWN'].map(forbidden)).not.toContain(
    true,
  );
});
