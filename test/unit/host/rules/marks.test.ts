import { describe, expect, it } from 'vitest';
import { RunningDomain } from '../../../../src/agent/domain/running-domain.ts';
import { askForModule, saysTheSame, settleMarks } from '../../../../src/host/rules/marks.ts';
import { bytes, GiB, mib } from '../../../../src/memory/bytes.ts';
import { stateNamespace, writeState } from '../../../../src/libvirt/xml/operation-state.ts';
import { readStateElement } from '../../../../src/libvirt/xml/read-operation-state.ts';
import { parseXml, type XmlElement } from '../../../../src/libvirt/xml/tree.ts';
import type { Mark } from '../../../../src/memory/operation-state.ts';

const module = { slot: 0, base: bytes(4 * GiB), size: mib(128), alias: 'ua-dimmer-0' };
const leaving: Mark = {
  ...module,
  generation: 3,
  firstAskedAtMs: 1_000,
  lastAskedAtMs: 6_000,
  attempts: 2,
  phase: 'leaving',
};
function root(xml: string): XmlElement {
  const parsed = parseXml(xml);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

const nothing = { refusals: new Map<string, number>(), forgotAtMs: null };

describe('settleMarks', () => {
  it('keeps a mark while the guest is silent, and the array with it', () => {
    const marks = [leaving];
    expect(settleMarks(marks, [module], nothing, 10_000_000)).toBe(marks);
  });

  it('lets a slot rest until 60 s after the last request, and no longer', () => {
    expect(settleMarks([leaving], [], nothing, 7_000)).toEqual([{ ...leaving, phase: 'resting' }]);
    const resting: Mark = { ...leaving, phase: 'resting' };
    expect(settleMarks([resting], [], nothing, 65_999)).toEqual([resting]);
    expect(settleMarks([resting], [], nothing, 66_000)).toEqual([]);
    // Gone long ago, while nobody looked.
    expect(settleMarks([leaving], [], nothing, 66_000)).toEqual([]);
  });

  it('takes another module in the same slot for another module', () => {
    const other = { ...module, base: bytes(5 * GiB) };
    expect(settleMarks([leaving], [other], nothing, 7_000)).toEqual([{ ...leaving, phase: 'resting' }]);
  });

  it('forgets a request that was refused, but not for the refusal of an earlier one', () => {
    const refused = (atMs: number) => ({ refusals: new Map([['ua-dimmer-0', atMs]]), forgotAtMs: null });
    expect(settleMarks([leaving], [module], refused(6_050), 7_000)).toEqual([]);
    expect(settleMarks([leaving], [module], refused(5_999), 7_000)).toEqual([leaving]);
  });

  it('keeps one that was made in the millisecond of the refusal before it', () => {
    const [again] = askForModule([], { ...module, refusedAtMs: 6_050 }, 3, 6_050);
    const refusals = (atMs: number) => ({ refusals: new Map([['ua-dimmer-0', atMs]]), forgotAtMs: null });
    expect(settleMarks([again ?? leaving], [module], refusals(6_050), 7_000)).toEqual([again]);
    expect(settleMarks([again ?? leaving], [module], refusals(6_051), 7_000)).toEqual([]);
  });

  it('forgets a request when the guest was reset after it', () => {
    expect(settleMarks([leaving], [module], { ...nothing, forgotAtMs: 6_500 }, 7_000)).toEqual([]);
    expect(settleMarks([leaving], [module], { ...nothing, forgotAtMs: 500 }, 7_000)).toEqual([leaving]);
  });
});

describe('a module that was plugged by hand under a name of any length', () => {
  const named = (alias: string) => ({ ...module, alias });
  const markOf = (alias: string) => askForModule([], named(alias), 3, 1_000);
  const long = 'x'.repeat(1_000);

  it('can be marked, and the mark is read back as it is', () => {
    for (const alias of [`ua-${long}`, 'a name & more', 'ua-💾']) {
      const written = writeState({ claim: null, replacement: null, marks: markOf(alias) });
      const xml = (written ?? '').replace('<state', `<state xmlns='${stateNamespace}'`);
      const read = readStateElement(root(xml));
      expect(read.ok && read.value.marks).toEqual(markOf(alias));
    }
  });

  it('is told from another that begins alike', () => {
    const [one, other] = [markOf(`${long}1`), markOf(`${long}2`)];
    expect(one[0]?.alias).not.toBe(other[0]?.alias);
    expect(one[0]?.alias).toHaveLength(253);
  });

  it('keeps its mark until its own refusal', () => {
    const run = new RunningDomain('uuid', 'boot/1/7', 0);
    run.heardRefusal(`${long}2`, 2_000);
    expect(settleMarks(markOf(`${long}1`), [module], run.markEvidence, 3_000)).toHaveLength(1);
    run.heardRefusal(`${long}1`, 2_000);
    expect(settleMarks(markOf(`${long}1`), [module], run.markEvidence, 3_000)).toEqual([]);
    expect(run.refusedAtMs(`${long}1`)).toBe(2_000);
  });
});

describe('saysTheSame', () => {
  const resting: Mark = { ...leaving, slot: 3, phase: 'resting' };

  it('leaves a rest that is over where it is kept', () => {
    const kept = [leaving, resting];
    expect(saysTheSame(kept, settleMarks(kept, [module], nothing, 10_000_000))).toBe(true);
    expect(saysTheSame([], [])).toBe(true);
  });

  it('wants a module that has left written, and a request that is over gone', () => {
    for (const nowMs of [7_000, 66_000]) {
      expect(saysTheSame([leaving], settleMarks([leaving], [], nothing, nowMs))).toBe(false);
    }
    const reset = settleMarks([leaving], [module], { ...nothing, forgotAtMs: 6_500 }, 7_000);
    expect(saysTheSame([leaving], reset)).toBe(false);
    expect(saysTheSame([], [resting])).toBe(false);
  });
});

describe('askForModule', () => {
  it('marks the first request', () => {
    expect(askForModule([], module, 7, 9_000)).toEqual([
      { ...module, generation: 7, firstAskedAtMs: 9_000, lastAskedAtMs: 9_000, attempts: 1, phase: 'leaving' },
    ]);
  });

  it('counts further ones, and keeps when and for what it began', () => {
    const other: Mark = { ...leaving, slot: 3, phase: 'resting' };
    expect(askForModule([leaving, other], module, 7, 9_000)).toEqual([
      other,
      { ...leaving, lastAskedAtMs: 9_000, attempts: 3 },
    ]);
  });
});
