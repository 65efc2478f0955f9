/** Asking a guest what it has: what answers which question, how long it takes, and what stands afterwards. */
import { describe, expect, it } from 'vitest';
import type { GuestAnswer } from '../../../src/agent/guest/questions.ts';
import { LibvirtCallError } from '../../../src/libvirt/domain/errors.ts';
import { bytes, gib, mib } from '../../../src/memory/bytes.ts';
import { createBalloonBench, gone } from './support/balloon-bench.ts';
import type { Pace } from './support/fake-balloon.ts';

/** On a whole second. */
const startMs = Date.UTC(2026, 0, 1);

/** A guest, and an agent that has asked it once: its last report is 1.1 s old, and no question is open. */
async function setUp(options: { readonly pace?: () => Pace; readonly periodSeconds?: number } = {}) {
  const state = { usable: mib(800) };
  const bench = createBalloonBench({ figures: () => ({ total: gib(1), usable: state.usable }), startMs, ...options });
  const agent = bench.start();
  const ask = async (): Promise<GuestAnswer & { readonly tookMs: number }> => {
    const beganMs = bench.clock.now();
    let answer: GuestAnswer | null = null;
    void agent.questions.ask(agent.run).then((it) => (answer = it));
    await bench.clock.until('the question is over', () => answer !== null);
    return { ...(answer as unknown as GuestAnswer), tookMs: bench.clock.now() - beganMs };
  };
  const usable = (answer: GuestAnswer): number | null | undefined =>
    answer.kind === 'answered' ? answer.report.usable : null;
  await ask();
  await bench.clock.advance((options.periodSeconds ?? 2) * 1000 + 1_100);
  return { ...bench, ...agent, state, ask, usable };
}

describe('a question', () => {
  it('is answered with what the guest has now, in a moment', async () => {
    const { state, ask, usable, recorded, balloon } = await setUp();
    state.usable = mib(100);
    const answer = await ask();
    expect(usable(answer)).toBe(mib(100));
    expect(answer.tookMs).toBeLessThan(20);
    expect([balloon.periodSeconds, recorded()]).toEqual([2, null]);
  });

  it('in the second of the last report and with its values is put again in the next second', async () => {
    const { ask } = await setUp();
    const first = await ask();
    expect(first.tookMs).toBeLessThan(20);
    const second = await ask();
    expect(second.kind).toBe('answered');
    expect(second.tookMs).toBeGreaterThan(500);
    expect(second.tookMs).toBeLessThan(1_100);
  });

  it('put while another one is open is put again: what comes first answers that one', async () => {
    // The guest looked before its memory was filled, and hands that over late.
    let pace: Pace = { gatherMs: 0, handOverMs: 0 };
    const { clock, state, ask, usable, balloon } = await setUp({ pace: () => pace });
    pace = { gatherMs: 0, handOverMs: 400 };
    // QEMU asks by itself.
    await clock.advance(2_000);
    const lookedAtMs = balloon.gatheredAtMs;
    pace = { gatherMs: 0, handOverMs: 0 };
    state.usable = mib(100);
    const answer = await ask();
    expect(balloon.gatheredAtMs).toBeGreaterThan(lookedAtMs);
    expect(usable(answer)).toBe(mib(100));
  });

  it('that an earlier agent put and nobody answered is reckoned with', async () => {
    let pace: Pace = { gatherMs: 0, handOverMs: 0 };
    const bench = await setUp({ pace: () => pace });
    pace = { gatherMs: 0, handOverMs: 300 };
    void bench.questions.ask(bench.run);
    await bench.clock.advance(20);
    bench.kill();
    bench.state.usable = mib(100);
    const next = bench.start();
    next.restore();
    let answer: GuestAnswer | null = null;
    void next.questions.ask(next.run).then((it) => (answer = it));
    await bench.clock.until('it is over', () => answer !== null);
    expect(answer).toMatchObject({ kind: 'answered', report: { usable: mib(100) } });
  });

  it('to a guest that does not answer ends after 1.5 s, and the next one knows that it may be open', async () => {
    let pace: Pace = { gatherMs: 0, handOverMs: 0 };
    const { clock, state, ask, usable, recorded, balloon } = await setUp({ pace: () => pace });
    pace = { gatherMs: 0, handOverMs: 5_000 };
    const late = await ask();
    expect(late.kind).toBe('late');
    expect(late.tookMs).toBeGreaterThanOrEqual(1_500);
    expect(late.tookMs).toBeLessThan(1_600);
    expect([balloon.periodSeconds, recorded()]).toEqual([2, null]);
    // The old look at its memory arrives in the middle of the next question.
    pace = { gatherMs: 0, handOverMs: 0 };
    state.usable = mib(100);
    await clock.advance(3_000);
    const answer = await ask();
    expect(usable(answer)).toBe(mib(100));
  });

  it('is not put where nobody could answer, nor while a job holds the domain', async () => {
    const { job, ask, balloon } = await setUp();
    const before = balloon.periods.length;
    job.kind = 'migration';
    expect((await ask()).kind).toBe('busy');
    job.kind = 'busy';
    expect((await ask()).kind).toBe('busy');
    expect(balloon.periods.length).toBe(before);
    const mute = createBalloonBench({ figures: () => ({ total: gib(1), usable: bytes(0) }) });
    Object.defineProperty(mute.balloon, 'statistics', { value: { report: null, lastUpdateMs: null } });
    const { questions, run } = mute.start();
    let answer: GuestAnswer | null = null;
    void questions.ask(run).then((it) => (answer = it));
    await mute.clock.until('it is over', () => answer !== null);
    expect([answer, mute.balloon.periods]).toEqual([{ kind: 'absent' }, []]);
  });
});

describe('what stood before a question', () => {
  it('is written down before it is touched, and stands again', async () => {
    const { ask, hooks, recorded, balloon } = await setUp({ periodSeconds: 7 });
    const calls: unknown[] = [];
    hooks.before = (call, seconds) => {
      calls.push([call, seconds, recorded()]);
    };
    await ask();
    expect(calls).toEqual([
      ['record', null, null],
      ['period', 0, '<statistics period="7"/>'],
      ['period', 7, '<statistics period="7"/>'],
      ['forget', null, '<statistics period="7"/>'],
    ]);
    expect(balloon.periodSeconds).toBe(7);
  });

  it('is put back by the next agent when one is killed in between, and once more when late calls are over', async () => {
    const bench = await setUp({ periodSeconds: 7 });
    bench.hooks.before = (_call, seconds) => {
      if (seconds === 7) bench.kill();
    };
    void bench.questions.ask(bench.run);
    await bench.clock.advance(1_000);
    expect([bench.balloon.periodSeconds, bench.recorded()]).toEqual([0, '<statistics period="7"/>']);
    bench.hooks.before = () => undefined;
    const next = bench.start();
    next.restore();
    await bench.clock.advance(100);
    expect(bench.balloon.periodSeconds).toBe(7);
    // A call of the dead agent that had waited for the domain's job.
    await bench.clock.advance(29_000);
    bench.balloon.setPeriod(0);
    await bench.clock.advance(7_000);
    expect([bench.balloon.periodSeconds, bench.recorded()]).toEqual([7, null]);
  });

  it('is not lost by a question in those 35 s', async () => {
    const bench = await setUp({ periodSeconds: 7 });
    bench.hooks.before = (_call, seconds) => {
      if (seconds === 7) bench.kill();
    };
    void bench.questions.ask(bench.run);
    await bench.clock.advance(1_000);
    bench.hooks.before = () => undefined;
    const next = bench.start();
    next.restore();
    await bench.clock.advance(10_000);
    bench.balloon.setPeriod(0);
    void next.questions.ask(next.run);
    await bench.clock.advance(3_000);
    expect([bench.balloon.periodSeconds, bench.recorded()]).toEqual([7, '<statistics period="7"/>']);
    await bench.clock.advance(30_000);
    expect([bench.balloon.periodSeconds, bench.recorded()]).toEqual([7, null]);
  });

  it('is put back where libvirtd was killed after it had told QEMU and before it wrote that down', async () => {
    for (const told of [0, 7]) {
      const bench = await setUp({ periodSeconds: 7 });
      bench.hooks.before = (_call, seconds) => {
        if (seconds !== told) return;
        bench.kill();
        bench.balloon.setPeriodUnwritten(told);
      };
      void bench.questions.ask(bench.run);
      await bench.clock.advance(1_000);
      expect([bench.balloon.writtenSeconds, bench.balloon.periodSeconds]).toEqual([7 - told, told]);
      bench.hooks.before = () => undefined;
      bench.start().restore();
      await bench.clock.advance(100);
      expect([told, bench.balloon.writtenSeconds, bench.balloon.periodSeconds]).toEqual([told, 7, 7]);
    }
  });

  it('is put back as soon as libvirt lets us when the second call fails', async () => {
    const { clock, ask, questions, run, hooks, balloon, recorded } = await setUp({ periodSeconds: 7 });
    hooks.before = (_call, seconds) => {
      if (seconds === 7) throw new LibvirtCallError({ code: 68, domain: 0, text: 'busy' }, 'setPeriod');
    };
    expect((await ask()).kind).toBe('busy');
    expect([balloon.periodSeconds, recorded()]).toEqual([0, '<statistics period="7"/>']);
    hooks.before = () => undefined;
    await clock.advance(2_100);
    expect([balloon.periodSeconds, recorded()]).toEqual([7, null]);
    hooks.before = (_call, seconds) => {
      if (seconds === 7) throw gone('setPeriod');
    };
    const failed = questions.ask(run).then(
      () => 'answered',
      () => 'failed',
    );
    await clock.advance(100);
    expect(await failed).toBe('failed');
  });

  it('is what an admin has set meanwhile, whenever that was', async () => {
    for (const moment of ['record', 'period 0', 'period 2', 'forget']) {
      const { ask, hooks, balloon, recorded } = await setUp();
      hooks.before = (call, seconds) => {
        if (moment === [call, seconds].filter((part) => part !== null).join(' ')) balloon.setPeriod(5);
      };
      expect([moment, (await ask()).kind]).toEqual([moment, 'answered']);
      // Between our look and our call there is a millisecond that nobody can close.
      const isLost = moment === 'period 0' || moment === 'period 2';
      expect([moment, balloon.periodSeconds, recorded()]).toEqual([moment, isLost ? 2 : 5, null]);
    }
  });

  it("is an admin's too when it is set between the two calls", async () => {
    const { clock, ask, hooks, balloon } = await setUp();
    hooks.before = (_call, seconds) => {
      // Just after libvirt has answered the first one.
      if (seconds === 0) clock.after(2, () => balloon.setPeriod(5));
    };
    expect((await ask()).kind).toBe('answered');
    expect(balloon.periodSeconds).toBe(5);
  });

  it('that was 0 when the domain was met is 2 s', async () => {
    const bench = createBalloonBench({ figures: () => ({ total: gib(1), usable: mib(800) }), periodSeconds: 0 });
    bench.start().restore();
    await bench.clock.advance(100);
    expect([bench.balloon.periods, bench.recorded()]).toEqual([[2], null]);
  });
});
