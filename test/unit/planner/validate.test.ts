/** Requests that make no sense name the field that is wrong. */
import { describe, expect, test } from 'vitest';
import { mib } from '../../../src/memory/bytes.ts';
import { computePlan } from '../../../src/planner/plan.ts';
import type { PlannerModule, PlannerObservation, PlanRequest } from '../../../src/planner/types.ts';
import { modulesOf, requestFor } from './support.ts';

const fieldOf = (request: PlanRequest): string => {
  const result = computePlan(request);
  return result.ok ? 'none' : result.error.field;
};

const withObservation = (change: Partial<PlannerObservation>): PlanRequest => requestFor(2048, [256, 128], {}, change);

const withModule = (change: Partial<Record<keyof PlannerModule, unknown>>): PlanRequest => {
  const [first, second] = modulesOf([256, 128]);
  return withObservation({ modules: [first, { ...second, ...change }] as PlannerModule[] });
};

/** What no size may be. */
const noSizes = [-1, 0.5, NaN, Infinity, 2 ** 53, '1Gi'] as never[];

test('the request that the others are made from makes sense', () => {
  expect(fieldOf(withObservation({}))).toBe('none');
  expect(fieldOf(withModule({}))).toBe('none');
});

describe.each(noSizes)('%s is no size', (value) => {
  test('of anything', () => {
    expect(fieldOf({ ...requestFor(2048, []), desired: value })).toBe('desired');
    expect(fieldOf(withObservation({ boot: [{ node: 0, size: value }] }))).toBe('boot[0].size');
    expect(fieldOf(withModule({ size: value }))).toBe('modules[1].size');
    expect(fieldOf(withModule({ base: value }))).toBe('modules[1].base');
    expect(fieldOf(withObservation({ granularity: value }))).toBe('granularity');
    expect(fieldOf(withObservation({ pageSize: value }))).toBe('pageSize');
    expect(fieldOf(withObservation({ otherBytes: value }))).toBe('otherBytes');
    expect(fieldOf(withObservation({ maxMemory: value }))).toBe('maxMemory');
    expect(fieldOf(withObservation({ hostFree: value }))).toBe('hostFree');
    expect(fieldOf(withObservation({ hugepagesFree: value }))).toBe('hugepagesFree');
    const guest = { usable: mib(1), total: mib(1), fresh: true };
    expect(fieldOf(withObservation({ guest: { ...guest, usable: value } }))).toBe('guest.usable');
    expect(fieldOf(withObservation({ guest: { ...guest, total: value } }))).toBe('guest.total');
  });
});

describe('zero', () => {
  test('where there must be something', () => {
    expect(fieldOf(withModule({ size: 0 }))).toBe('modules[1].size');
    expect(fieldOf(withObservation({ granularity: mib(0) }))).toBe('granularity');
    expect(fieldOf(withObservation({ pageSize: mib(0) }))).toBe('pageSize');
    expect(fieldOf(withObservation({ boot: [{ node: 0, size: mib(0) }] }))).toBe('boot');
  });
  test('where it is a size like others', () => {
    expect(fieldOf({ ...requestFor(2048, []), desired: mib(0) })).toBe('none');
    expect(fieldOf(withObservation({ hostFree: mib(0), hugepagesFree: mib(0), maxMemory: mib(0) }))).toBe('none');
    const boot = [
      { node: 0, size: mib(1024) },
      { node: 1, size: mib(0) },
    ];
    expect(fieldOf(withObservation({ boot }))).toBe('none');
  });
});

test('boot memory must be known', () => {
  expect(fieldOf(withObservation({ boot: [] }))).toBe('boot');
});

test('nodes', () => {
  const twice = [
    { node: 0, size: mib(512) },
    { node: 0, size: mib(512) },
  ];
  expect(fieldOf(withObservation({ boot: twice }))).toBe('boot[1].node');
  expect(fieldOf(withObservation({ boot: [{ node: -1, size: mib(512) }] }))).toBe('boot[0].node');
  expect(fieldOf(withModule({ node: 1 }))).toBe('modules[1].node');
});

test('slots', () => {
  const slots = { total: 16, usedByOthers: [], resting: [] };
  expect(fieldOf(withObservation({ slots: { ...slots, total: 257 } }))).toBe('slots.total');
  expect(fieldOf(withObservation({ slots: { ...slots, total: -1 } }))).toBe('slots.total');
  expect(fieldOf(withObservation({ slots: { ...slots, total: 1 } }))).toBe('modules');
  expect(fieldOf(withObservation({ slots: { ...slots, usedByOthers: [16] } }))).toBe('slots.usedByOthers[0]');
  expect(fieldOf(withObservation({ slots: { ...slots, resting: [3, 1.5] } }))).toBe('slots.resting[1]');
  expect(fieldOf(withObservation({ slots: { ...slots, usedByOthers: [1] } }))).toBe('modules[1].slot');
  expect(fieldOf(withModule({ slot: 0 }))).toBe('modules[1].slot');
  expect(fieldOf(withModule({ slot: 16 }))).toBe('modules[1].slot');
});

test('aliases differ, as far as they are known', () => {
  const nameless = modulesOf([256, 128]).map((module) => ({ ...module, alias: '' }));
  expect(fieldOf(withObservation({ modules: nameless }))).toBe('none');
  expect(fieldOf(withModule({ alias: 'ua-dimmer-0' }))).toBe('modules[1].alias');
});

test('refusals are counted', () => {
  expect(fieldOf(withModule({ refusals: -1 }))).toBe('modules[1].refusals');
});

test('sums that a double would round', () => {
  const most = (2 ** 53 - 1) as never;
  expect(fieldOf(withObservation({ boot: [{ node: 0, size: most }], otherBytes: mib(1) }))).toBe('boot');
  expect(fieldOf(withModule({ size: most }))).toBe('modules');
  expect(fieldOf(withObservation({ granularity: most, pageSize: mib(2) }))).toBe('pageSize');
});

test('policies', () => {
  const wrong = 'Greedy' as never;
  expect(fieldOf(requestFor(2048, [], { shrink: wrong }))).toBe('policy.shrink');
  expect(fieldOf(requestFor(2048, [], { grow: wrong }))).toBe('policy.grow');
  expect(fieldOf(requestFor(2048, [], { guestSafety: wrong }))).toBe('policy.guestSafety');
});

test('more odd sizes than can be planned exactly are refused, not guessed at', () => {
  const modules = modulesOf(Array.from({ length: 40 }, (_, index) => 1024 + index)).map((module, index) => ({
    ...module,
    size: (module.size + 1 + index * index * 1031) as never,
  }));
  const slots = { total: 40, usedByOthers: [], resting: [] };
  expect(fieldOf(withObservation({ modules, slots }))).toBe('modules');
});

test('the largest sizes there are', () => {
  const boot = [{ node: 0, size: (2 ** 53 - 1) as never }];
  const result = computePlan({ ...requestFor(2048, [], {}, { boot }), desired: (2 ** 53 - 1) as never });
  expect(result).toMatchObject({ ok: true, value: { decision: 'noop', reachable: { above: null } } });
});
