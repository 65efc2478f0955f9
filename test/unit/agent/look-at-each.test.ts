/** Looks at many domains for one answer: nobody waits long for a domain that doesn't answer. */
import { describe, expect, it } from 'vitest';
import { lookAtEach } from '../../../src/agent/look-at-each.ts';
import { hostError } from '../../../src/host/errors.ts';
import type { DomainObservation } from '../../../src/host/port.ts';
import { fail, succeed } from '../../../src/memory/result.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const upTo = (count: number): string[] => Array.from({ length: count }, (_, index) => `vm-${index + 1}`);

/** Looks that take `msOf(uuid)` ms each; null: for ever. */
function bench(msOf: (uuid: string) => number | null) {
  const clock = new ManualClock();
  const state = { underWay: 0, most: 0, begun: [] as string[] };
  const observe = (uuid: string) => {
    state.begun.push(uuid);
    state.underWay += 1;
    state.most = Math.max(state.most, state.underWay);
    return new Promise<ReturnType<typeof answerOf>>((resolve) => {
      const ms = msOf(uuid);
      if (ms === null) return;
      clock.after(ms, () => {
        state.underWay -= 1;
        resolve(answerOf(uuid));
      });
    });
  };
  const answerOf = (uuid: string) =>
    uuid === 'vm-gone' ? fail(hostError('not-found', 'gone')) : succeed({ uuid } as DomainObservation);
  return { clock, state, observe };
}
const namesOf = (seen: readonly DomainObservation[]): string[] => seen.map(({ uuid }) => uuid).toSorted();

describe('lookAtEach', () => {
  it('looks at a few at a time, and leaves out what can not be observed', async () => {
    const { clock, state, observe } = bench(() => 10);
    const looking = lookAtEach([...upTo(20), 'vm-gone'], observe, clock, 1_000);
    await clock.advance(100);
    expect(namesOf(await looking)).toEqual(upTo(20).toSorted());
    expect(state.most).toBe(8);
    expect(state.begun).toHaveLength(21);
  });

  it('answers without a domain that does not answer, and with all that did', async () => {
    const { clock, observe } = bench((uuid) => (uuid === 'vm-3' ? null : 10));
    const answer: { seen: readonly DomainObservation[] | null } = { seen: null };
    void lookAtEach(upTo(30), observe, clock, 250).then((seen) => (answer.seen = seen));
    await clock.advance(240);
    expect(answer.seen).toBeNull();
    await clock.advance(20);
    expect(namesOf(answer.seen ?? [])).toEqual(
      upTo(30)
        .filter((uuid) => uuid !== 'vm-3')
        .toSorted(),
    );
  });

  it('is there as soon as all are seen, and needs none', async () => {
    const { clock, observe } = bench(() => 10);
    const answer: { seen: readonly DomainObservation[] | null } = { seen: null };
    void lookAtEach(upTo(3), observe, clock, 250).then((seen) => (answer.seen = seen));
    await clock.advance(20);
    expect(answer.seen).toHaveLength(3);
    expect(await lookAtEach([], observe, clock, 250)).toEqual([]);
  });
});
