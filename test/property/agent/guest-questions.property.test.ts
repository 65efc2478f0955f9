/** Whatever a guest's pace, and whenever it is asked: what is taken for the answer was made after the question. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GuestAnswer } from '../../../src/agent/guest/questions.ts';
import { isCorrected } from '../../../src/host/rules/report-correction.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { createBalloonBench } from '../../unit/agent/support/balloon-bench.ts';
import type { Pace } from '../../unit/agent/support/fake-balloon.ts';

const duration = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 4_000 }));
const pace: fc.Arbitrary<Pace> = fc.record({ gatherMs: duration, handOverMs: duration });

type Step =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'ask' }
  /** As after a plug: whatever is said next. */
  | { readonly kind: 'hear' }
  /** The guest's memory changes, or it goes on idle. */
  | { readonly kind: 'use'; readonly mib: number }
  | { readonly kind: 'pace'; readonly pace: Pace }
  | { readonly kind: 'restart'; readonly afterMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ask' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hear' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 3_000 }) }) },
  fc.record({ kind: fc.constant('use' as const), mib: fc.integer({ min: 1, max: 900 }) }),
  fc.record({ kind: fc.constant('pace' as const), pace }),
  // An agent that is killed in the middle of a question.
  fc.record({ kind: fc.constant('restart' as const), afterMs: fc.integer({ min: 0, max: 30 }) }),
);

/** Lives through the steps. `answers`: how many questions were answered; `checked`: of how many it is known when. */
async function live(steps: readonly Step[], offsetMs: number): Promise<{ answers: number; checked: number }> {
  const state = { usable: mib(800), pace: { gatherMs: 0, handOverMs: 0 } as Pace };
  const bench = createBalloonBench({
    figures: () => ({ total: gib(1), usable: state.usable }),
    pace: () => state.pace,
    startMs: Date.UTC(2026, 0, 1) + offsetMs,
    periodSeconds: 2,
  });
  let agent = bench.start();
  let [answers, checked] = [0, 0];
  for (const each of steps) {
    switch (each.kind) {
      case 'wait':
        await bench.clock.advance(each.ms);
        break;
      case 'use':
        state.usable = mib(each.mib);
        break;
      case 'pace':
        state.pace = each.pace;
        break;
      case 'restart':
        void agent.questions.ask(agent.run);
        await bench.clock.advance(each.afterMs);
        bench.kill();
        agent = bench.start();
        agent.restore();
        break;
      case 'hear': {
        let isOver = false;
        void agent.questions.hear(agent.run).then(() => (isOver = true));
        await bench.clock.until('it has been listened to', () => isOver, 20_000);
        break;
      }
      case 'ask': {
        const beganMs = bench.clock.now();
        let answer: GuestAnswer | null = null;
        void agent.questions.ask(agent.run).then((it) => (answer = it));
        await bench.clock.until('the question is over', () => answer !== null, 20_000);
        const said = answer as unknown as GuestAnswer;
        if (said.kind !== 'answered') break;
        answers += 1;
        expect(said.report.answersAtMs).toBeGreaterThanOrEqual(beganMs);
        // Unless it has reported once more since.
        if (said.report.report === bench.balloon.statistics.report) {
          checked += 1;
          expect(bench.balloon.gatheredAtMs).toBeGreaterThanOrEqual(said.report.answersAtMs ?? Infinity);
        }
        break;
      }
    }
  }
  // What stood stands, whatever became of the questions and of who put them.
  await bench.clock.advance(40_000);
  expect([bench.balloon.periodSeconds, bench.recorded()]).toEqual([2, null]);
  return { answers, checked };
}

test('an answer was made after its question, and the period stands again', async () => {
  const all = { answers: 0, checked: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), fc.integer({ min: 0, max: 1_999 }), async (steps, offsetMs) => {
      const { answers, checked } = await live(steps, offsetMs);
      all.answers += answers;
      all.checked += checked;
    }),
    { numRuns: 200 },
  );
  expect(all.answers).toBeGreaterThan(100);
  expect(all.checked).toBeGreaterThan(all.answers * 0.9);
});

test('a guest that answers at once is never called late, however idle it is and whenever it is asked', async () => {
  const idle = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('ask' as const) }),
      fc.record({ kind: fc.constant('hear' as const) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 2_500 }) }),
    ),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(idle, fc.integer({ min: 0, max: 1_999 }), async (steps, offsetMs) => {
      const { answers } = await live(steps, offsetMs);
      expect(answers).toBe(steps.filter(({ kind }) => kind === 'ask').length);
    }),
    { numRuns: 100 },
  );
});

test('a module that certainly was in no report any more is in none that comes later, whichever question that answers', async () => {
  const soon = fc.integer({ min: 0, max: 120 });
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constantFrom('ask' as const, 'hear' as const) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ kind: fc.constant('pace' as const), pace: fc.record({ gatherMs: soon, handOverMs: soon }) }),
    ),
    { minLength: 1, maxLength: 14 },
  );
  const said = { certain: 0, still: 0 };
  const liveAfterDeparture = async (each: readonly Step[], before: number, offsetMs: number): Promise<void> => {
    const state = { reports: 0, pace: { gatherMs: 0, handOverMs: 0 } as Pace };
    const bench = createBalloonBench({
      // A guest that lives has other figures each time.
      figures: () => ({ total: gib(1), usable: mib((state.reports += 1)) }),
      pace: () => state.pace,
      startMs: Date.UTC(2026, 0, 1) + offsetMs,
      periodSeconds: 2,
    });
    const agent = bench.start();
    const { run, questions } = agent;
    let leftAtMs: number | null = null;
    let wasCertain = false;
    const check = (): void => {
      const statistics = run.reports.last;
      if (leftAtMs === null || typeof statistics?.lastUpdateMs !== 'number') return;
      const { lastUpdateMs, answersAtMs, report } = statistics;
      const isCertain = !isCorrected({ reportedAtMs: lastUpdateMs, answersAtMs }, run.reports.departures);
      if (wasCertain) expect(isCertain, report ?? '').toBe(true);
      said.still += wasCertain ? 1 : 0;
      said.certain += isCertain ? 1 : 0;
      wasCertain = isCertain;
      // By its second alone it may be a guest that took longer over its numbers than any was seen to.
      if (answersAtMs === null || answersAtMs <= leftAtMs || report !== bench.balloon.statistics.report) return;
      expect(bench.balloon.gatheredAtMs).toBeGreaterThanOrEqual(answersAtMs);
    };
    for (const [index, one] of each.entries()) {
      if (index === before % each.length) {
        leftAtMs = bench.clock.now();
        run.reports.sawDepartures([{ size: mib(256), atMs: leftAtMs }]);
      }
      if (one.kind === 'wait') await bench.clock.advance(one.ms);
      else if (one.kind === 'pace') state.pace = one.pace;
      else {
        let isOver = false;
        void questions[one.kind === 'hear' ? 'hear' : 'ask'](run).then(() => (isOver = true));
        await bench.clock.until('the question is over', () => isOver, 20_000);
      }
      check();
      void agent.look();
      await bench.clock.advance(2);
      check();
    }
  };
  await fc.assert(fc.asyncProperty(steps, fc.nat(13), fc.integer({ min: 0, max: 1_999 }), liveAfterDeparture), {
    numRuns: 200,
  });
  expect(said.certain).toBeGreaterThan(100);
  expect(said.still).toBeGreaterThan(100);
});
