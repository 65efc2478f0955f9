/** What an observation becomes. */
import { describe, expect, test } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { applyRefusal, applyStep, applyUnplugRequest } from '../../../src/planner/simulate.ts';
import type { PlannerObservation, PlugStep, UnplugStep } from '../../../src/planner/types.ts';
import { defaultObservation, modulesOf } from './support.ts';

const plug = (size: number, slot: number): PlugStep => ({
  operation: 'plug',
  size: mib(size),
  node: 0,
  slot,
  waitForOnline: false,
});
const baseOf = (observation: PlannerObservation, slot: number) =>
  observation.modules.find((module) => module.slot === slot)?.base;

function unplugOf(observation: PlannerObservation, slot: number): UnplugStep {
  const module = observation.modules.find((candidate) => candidate.slot === slot);
  if (module === undefined) throw new Error(`no module in slot ${slot}`);
  const { size, node, base, alias } = module;
  return { operation: 'unplug', size, node, slot, base, alias, minUsableAfter: null };
}

describe('plug', () => {
  test('the module is there, as Dimmer names it', () => {
    const after = applyStep(defaultObservation, plug(512, 3));
    expect(after.modules).toEqual([
      {
        slot: 3,
        alias: 'ua-dimmer-3',
        node: 0,
        size: mib(512),
        base: gib(4),
        state: 'Plugged',
        refusals: 0,
        quarantined: false,
        retryAfter: null,
      },
    ]);
    expect(defaultObservation.modules).toEqual([]);
  });

  test('addresses: above boot memory, the first gap that is large enough', () => {
    const large = { ...defaultObservation, boot: [{ node: 0, size: mib(5 * 1024 + 512) }] };
    expect(baseOf(applyStep(large, plug(128, 0)), 0)).toBe(gib(8));

    let observation = defaultObservation;
    for (const slot of [0, 1, 2]) observation = applyStep(observation, plug(256, slot));
    expect(baseOf(observation, 2)).toBe(gib(4) + mib(512));
    observation = applyStep(observation, unplugOf(observation, 1));
    expect(baseOf(applyStep(observation, plug(384, 1)), 1)).toBe(gib(4) + mib(768));
    expect(baseOf(applyStep(observation, plug(256, 1)), 1)).toBe(gib(4) + mib(256));
  });

  test('host memory, huge pages and the guest follow', () => {
    const before = {
      ...defaultObservation,
      hostFree: mib(1024),
      hugepagesFree: mib(512),
      pageSize: mib(2),
      guest: { usable: mib(600), total: mib(900), fresh: true },
    };
    const after = applyStep(before, plug(512, 0));
    expect(after).toMatchObject({
      hostFree: mib(512),
      hugepagesFree: mib(0),
      guest: { usable: mib(600 + 512 - 8), total: mib(1412) },
    });
    const { hostFree, hugepagesFree, guest } = applyStep(after, unplugOf(after, 0));
    expect({ hostFree, hugepagesFree, guest }).toEqual({
      hostFree: before.hostFree,
      hugepagesFree: before.hugepagesFree,
      guest: before.guest,
    });
  });

  test.each([
    ['is taken by a module', { modules: modulesOf([128]) }],
    ['is taken by another device', { slots: { total: 16, usedByOthers: [0], resting: [] } }],
    ['does not exist', { slots: { total: 0, usedByOthers: [], resting: [] } }],
  ])('a slot that %s', (_, change) => {
    expect(() => applyStep({ ...defaultObservation, ...change }, plug(128, 0))).toThrow('slot 0 is not free');
  });
});

describe('unplug', () => {
  const observation = { ...defaultObservation, modules: modulesOf([128, 256]) };

  test('the module is gone', () => {
    expect(applyStep(observation, unplugOf(observation, 0)).modules.map(({ slot }) => slot)).toEqual([1]);
  });

  test('another module in the same slot is not the one meant', () => {
    const step = { ...unplugOf(observation, 0), base: gib(64) };
    expect(() => applyStep(observation, step)).toThrow('no module in slot 0');
  });

  test('asked, refused, asked again', () => {
    const asked = applyUnplugRequest(observation, unplugOf(observation, 0));
    expect(asked.modules[0]).toMatchObject({ state: 'Leaving', refusals: 0, quarantined: false });
    const refused = applyRefusal(asked, 0, 'noon');
    expect(refused.modules[0]).toMatchObject({ state: 'Plugged', refusals: 1, quarantined: true, retryAfter: 'noon' });
    expect(applyRefusal(refused, 0, 'two').modules[0]).toMatchObject({ refusals: 2, retryAfter: 'two' });
    expect(() => applyRefusal(observation, 7, 'noon')).toThrow('no module in slot 7');
  });
});
