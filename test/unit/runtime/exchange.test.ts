import { getEventListeners } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DeadlineExceeded,
  EndlessAnswer,
  exchange,
  type ExchangeOptions,
  GivenUp,
} from '../../../src/runtime/exchange.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let server: Server;
let pool: Pool;
let heard: string[];
const clock = new ManualClock();

const serve = (listener: RequestListener): void => {
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    heard.push(`${request.method ?? ''} ${request.url ?? ''}`);
    listener(request, response);
  });
};

beforeEach(async () => {
  heard = [];
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // One connection: what comes second waits for it.
  pool = new Pool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { connections: 1, pipelining: 1 });
});

afterEach(async () => {
  await pool.destroy();
  server.closeAllConnections();
  server.close();
});

const ask = (more: Partial<ExchangeOptions> = {}) =>
  exchange(pool, {
    method: 'GET',
    path: '/x?a=b',
    headers: { accept: 'text/plain' },
    body: null,
    clock,
    deadlineMs: 30_000,
    maxAnswerBytes: 1_000,
    ...more,
  });

/** What an exchange that is over has left behind. */
const left = (signal: AbortSignal) => ({
  timers: clock.pending,
  listeners: getEventListeners(signal, 'abort').length,
});
const nothing = { timers: 0, listeners: 0 };

/** Until the server has heard of so many requests. */
const untilHeard = (count: number) => expect.poll(() => heard.length, { timeout: 20_000 }).toBe(count);

describe('exchange', () => {
  it('gives status, headers and text, however many pieces they come in', async () => {
    serve((_, response) => {
      response.writeHead(409, { 'retry-after': '7' });
      response.write(Buffer.from('grü').subarray(0, 3));
      setTimeout(() => response.end(Buffer.from('grü').subarray(3)), 20);
    });
    expect(await ask()).toMatchObject({ status: 409, headers: { 'retry-after': '7' }, text: 'grü' });
    expect(heard).toEqual(['GET /x?a=b']);
  });

  it('sends a body', async () => {
    serve((request, response) => void request.pipe(response));
    const answer = await ask({ method: 'PUT', body: '{"a":1}', headers: { 'content-type': 'application/json' } });
    expect(answer).toMatchObject({ status: 200, text: '{"a":1}' });
  });

  it('leaves nothing behind once it is over: no timer, no listener', async () => {
    const { signal } = new AbortController();
    serve((_, response) => response.end('ok'));
    await ask({ signal });
    expect(left(signal)).toEqual(nothing);
    serve((_, response) => response.destroy());
    await expect(ask({ signal })).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    expect(left(signal)).toEqual(nothing);
  });

  it('ends at its deadline, also where the answer has begun', async () => {
    const { signal } = new AbortController();
    serve((_, response) => response.write('begun'));
    const asked = ask({ signal, deadlineMs: 5_000 });
    const ended = expect(asked).rejects.toBeInstanceOf(DeadlineExceeded);
    await untilHeard(1);
    await clock.advance(5_000);
    await ended;
    expect(left(signal)).toEqual(nothing);
  });

  it('is given up by its signal', async () => {
    const stop = new AbortController();
    serve(() => undefined);
    const ended = expect(ask({ signal: stop.signal })).rejects.toBeInstanceOf(GivenUp);
    await untilHeard(1);
    stop.abort();
    await ended;
    expect(left(stop.signal)).toEqual(nothing);
    await expect(ask({ signal: stop.signal })).rejects.toBeInstanceOf(GivenUp);
    expect(left(stop.signal)).toEqual(nothing);
  });

  it('is not sent any more when it was given up while it waited for a connection', async () => {
    let answer = (): void => undefined;
    serve((_, response) => (answer = () => response.end('late')));
    const first = ask({ path: '/first' });
    await untilHeard(1);
    const stop = new AbortController();
    const second = expect(ask({ path: '/second', signal: stop.signal })).rejects.toBeInstanceOf(GivenUp);
    stop.abort();
    await second;
    answer();
    expect(await first).toMatchObject({ text: 'late' });
    serve((_, response) => response.end('third'));
    expect(await ask({ path: '/third' })).toMatchObject({ text: 'third' });
    expect(heard).toEqual(['GET /first', 'GET /third']);
  });

  it('gives up an answer without an end', async () => {
    serve((_, response) => {
      const more = (): void => {
        if (!response.destroyed) response.write('x'.repeat(600), () => setImmediate(more));
      };
      more();
    });
    await expect(ask()).rejects.toBeInstanceOf(EndlessAnswer);
    expect(clock.pending).toBe(0);
  });

  it('tells of a server that is not there', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(clock.pending).toBe(0);
  });
});
