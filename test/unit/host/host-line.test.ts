import { beforeEach, describe, expect, it } from 'vitest';
import { type HostErrorCode, hostError } from '../../../src/host/errors.ts';
import { HostLine, looksAtOnce } from '../../../src/host/host-line.ts';
import type { SimulatedHost } from '../../../src/host/simulated/script.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { mib } from '../../../src/memory/bytes.ts';
import type { Urgency } from '../../../src/runtime/urgency.ts';
import { plugRequest } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

describe('HostLine', () => {
  let clock: ManualClock;
  let host: SimulatedHost;
  let line: HostLine;
  beforeEach(() => {
    clock = new ManualClock();
    host = createSimulatedHost({ clock, domains: [{ uuid, name: 'db-1' }] });
    line = new HostLine(host, clock, () => 4);
  });

  /** Looks, and notes the answers as they come. */
  function look(count: number, urgency: Urgency = 'event'): { readonly codes: string[]; readonly atMs: number[] } {
    const seen = { codes: [] as string[], atMs: [] as number[] };
    for (let index = 0; index < count; index += 1) {
      void line
        .as(() => urgency)
        .observe(uuid)
        .then((answer) => {
          seen.codes.push(answer.ok ? 'ok' : answer.error.code);
          seen.atMs.push(clock.now());
        });
    }
    return seen;
  }
  const refuse = (code: HostErrorCode, times: number, more: object = {}): void =>
    host.script.inject('observe', { kind: 'fail', error: { ...hostError(code, 'on purpose'), ...more } }, times);

  it('looks a few times at once; the rest waits, the most urgent first', async () => {
    host.script.inject('observe', { kind: 'answer-late', ms: 100 }, 1_000);
    const startMs = clock.now();
    const resyncs = look(3 * looksAtOnce, 'resync');
    const user = look(1, 'user');
    await clock.advance(50);
    expect(host.script.calls().observe).toBe(looksAtOnce);
    await clock.advance(1_000);
    expect(user.atMs).toEqual([startMs + 200]);
    expect(resyncs.atMs.at(-1)).toBe(startMs + 400);
  });

  it('heeds how long the host wants to be left alone, and then asks the same again', async () => {
    refuse('too-many-requests', 2, { retryAfterMs: 3_000 });
    const startMs = clock.now();
    const seen = look(2);
    await clock.advance(1_000);
    const later = look(1);
    await clock.advance(1_900);
    expect(host.script.calls().observe).toBe(2);
    await clock.advance(200);
    expect([seen, later].map(({ codes }) => codes)).toEqual([['ok', 'ok'], ['ok']]);
    expect([...seen.atMs, ...later.atMs]).toEqual([startMs + 3_000, startMs + 3_000, startMs + 3_000]);
  });

  it('asks for a change again, too: nothing was done', async () => {
    const error = hostError('too-many-requests', 'on purpose');
    host.script.inject('plug', { kind: 'fail', error });
    const observed = await host.observe(uuid);
    if (!observed.ok) throw new Error('no observation');
    const answer = line.as(() => 'user').plug(uuid, observed.value.revision, plugRequest(0, mib(128)));
    await clock.advance(1_000);
    expect((await answer).ok).toBe(true);
    expect(host.script.changes()).toHaveLength(1);
  });

  it('believes a host that goes on saying so, and none that wants to be left alone for ever', async () => {
    refuse('too-many-requests', 100, { retryAfterMs: 86_400_000 });
    const startMs = clock.now();
    const seen = look(1);
    await clock.advance(100_000);
    expect([seen.codes, seen.atMs]).toEqual([['too-many-requests'], [startMs + 30_000]]);
  });

  it('passes other errors on at once', async () => {
    refuse('busy', 1);
    const seen = look(1);
    await clock.advance(0);
    expect(seen.codes).toEqual(['busy']);
  });

  it('sends away whoever waits when it closes', async () => {
    host.script.inject('observe', { kind: 'answer-late', ms: 100 }, 1_000);
    const seen = look(looksAtOnce + 2);
    await clock.advance(0);
    line.close();
    await clock.advance(0);
    expect(seen.codes).toEqual(['unreachable', 'unreachable']);
    await clock.advance(100);
    expect(seen.codes.filter((code) => code === 'ok')).toHaveLength(looksAtOnce);
  });

  it('gives a look up when its signal is aborted, though the host goes on with it', async () => {
    host.script.inject('observe', { kind: 'answer-late', ms: 3_600_000 }, looksAtOnce);
    const ending = new AbortController();
    const codes: string[] = [];
    for (let index = 0; index < looksAtOnce + 2; index += 1) {
      void line
        .as(() => 'event', ending.signal)
        .observe(uuid)
        .then((answer) => codes.push(answer.ok ? 'ok' : answer.error.code));
    }
    await clock.advance(1_000);
    expect(codes).toEqual([]);
    ending.abort();
    await clock.advance(0);
    expect(new Set(codes)).toEqual(new Set(['timeout']));
    expect(codes).toHaveLength(looksAtOnce + 2);
    // Their places are free.
    expect(look(1).codes).toEqual([]);
    await clock.advance(0);
    expect(host.script.calls().observe).toBe(looksAtOnce + 1);
  });

  it('does not send a change any more whose signal was aborted while the host wanted to be left alone', async () => {
    host.script.inject('plug', { kind: 'fail', error: hostError('too-many-requests', 'on purpose') }, 100);
    const ending = new AbortController();
    const answer = line.as(() => 'user', ending.signal).plug(uuid, 'any', plugRequest(0, mib(128)));
    await clock.advance(500);
    ending.abort();
    expect(await answer).toMatchObject({ ok: false, error: { code: 'too-many-requests' } });
    await clock.advance(60_000);
    expect(host.script.calls().plug).toBe(1);
  });

  it('finishes a change that was sent, whatever its signal says', async () => {
    host.script.inject('plug', { kind: 'answer-late', ms: 20_000 });
    const observed = await host.observe(uuid);
    if (!observed.ok) throw new Error('no observation');
    const ending = new AbortController();
    const { revision } = observed.value;
    const answer = line.as(() => 'user', ending.signal).plug(uuid, revision, plugRequest(0, mib(128)));
    await clock.advance(1_000);
    ending.abort();
    await clock.advance(20_000);
    expect(await answer).toMatchObject({ ok: true, value: { done: true } });
  });
});
