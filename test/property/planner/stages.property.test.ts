/** Growing in stages: a guest whose free memory couldn't hold the memory map of all at once never has to. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytes, type Bytes, MiB, mib, sumBytes } from '../../../src/memory/bytes.ts';
import { applyStep } from '../../../src/planner/simulate.ts';
import type { Plan, PlannerObservation, PlanRequest, PlugStep } from '../../../src/planner/types.ts';
import { defaultObservation, modulesOf, planOf } from '../../unit/planner/support.ts';

const block = 128 * MiB;
/** 64 bytes of memory map for a page of 4 KiB. */
const mapOf = (size: number): number => size / 64;

type Case = {
  readonly boot: Bytes;
  /** In MiB. */
  readonly modules: readonly number[];
  /** Free in boot memory, and in the modules that are there: the planner hears of both together. */
  readonly freeInBoot: Bytes;
  readonly freeInModules: Bytes;
  readonly amount: Bytes;
  readonly freeSlots: number;
  readonly grow: 'Whole' | 'Divisible';
};

const cases: fc.Arbitrary<Case> = fc
  .record({
    bootBlocks: fc.integer({ min: 1, max: 32 }),
    modules: fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 4 }),
    shareOfBoot: fc.double({ min: 0, max: 0.9, noNaN: true }),
    shareOfModules: fc.double({ min: 0, max: 1, noNaN: true }),
    blocks: fc.integer({ min: 1, max: 256 }),
    freeSlots: fc.integer({ min: 1, max: 32 }),
    grow: fc.constantFrom('Whole' as const, 'Divisible' as const),
  })
  .map(({ bootBlocks, modules, shareOfBoot, shareOfModules, blocks, freeSlots, grow }) => {
    const boot = bytes(bootBlocks * block);
    const plugged = modules.reduce((sum, count) => sum + count, 0) * block;
    return {
      ...{ boot, freeSlots, grow },
      modules: modules.map((count) => count * 128),
      freeInBoot: bytes(Math.floor(boot * shareOfBoot)),
      freeInModules: bytes(Math.floor(plugged * shareOfModules)),
      amount: bytes(Math.max(block, Math.min(blocks * block, 16 * boot - boot - plugged))),
    };
  })
  .filter(
    ({ boot, modules, amount }) => boot + mib(modules.reduce((sum, size) => sum + size, 0)) + amount <= 16 * boot,
  );

const requestOf = ({ boot, modules, freeInBoot, freeInModules, amount, freeSlots, grow }: Case): PlanRequest => {
  const present = modulesOf(modules);
  const total = bytes(boot + sumBytes(present.map(({ size }) => size)));
  return {
    desired: bytes(total + amount),
    observation: {
      ...defaultObservation,
      boot: [{ node: 0, size: boot }],
      modules: present,
      slots: { total: present.length + freeSlots, usedByOthers: [], resting: [] },
      guest: { usable: bytes(freeInBoot + freeInModules), total, fresh: true },
    },
    policy: { shrink: 'Exact', grow, guestSafety: 'Off' },
  };
};

const plugsOf = ({ steps }: Plan): readonly PlugStep[] => steps.filter((step) => step.operation === 'plug');

/** What is plugged before the guest must have onlined it. */
function stagesOf(plan: Plan): readonly number[] {
  const stages: number[] = [];
  for (const { size, waitForOnline } of plugsOf(plan)) {
    if (stages.length === 0 || waitForOnline) stages.push(size);
    else stages[stages.length - 1] = (stages.at(-1) ?? 0) + size;
  }
  return stages;
}

/** What the guest's kernel has free for a map, at the least: no more than `usable` less all that modules could have free. */
const surelyFree = ({ guest, modules }: PlannerObservation): number =>
  Math.max(0, (guest?.usable ?? 0) - sumBytes(modules.map(({ size }) => size)));

/** The first stage of the plan, carried out and onlined by the guest: its map comes out of boot memory. */
function plugStage(request: PlanRequest): { readonly request: PlanRequest; readonly stage: number } {
  const plugs = plugsOf(planOf(request));
  const end = plugs.findIndex(({ waitForOnline }, index) => index > 0 && waitForOnline);
  const steps = end < 0 ? plugs : plugs.slice(0, end);
  const observation = steps.reduce<PlannerObservation>(applyStep, request.observation);
  return { request: { ...request, observation }, stage: steps.reduce((sum, { size }) => sum + size, 0) };
}

describe('a growth whose memory map could use up what the guest has free', () => {
  test('goes in stages that add up to it; at once where twice the map is surely free', () => {
    fc.assert(
      fc.property(cases, (given) => {
        const request = requestOf(given);
        const plan = planOf(request);
        expect(plan.decision).toBe('plug');
        const stages = stagesOf(plan);
        expect(stages.reduce((sum, size) => sum + size, 0)).toBe(given.amount);
        if (2 * mapOf(given.amount) <= surelyFree(request.observation)) expect(stages).toHaveLength(1);
        // None is larger than it may be but for want of slots, and then it is a single module.
        const { guest } = request.observation;
        const usable = guest?.usable ?? 0;
        const first = Math.max(32 * surelyFree(request.observation), Math.min(32 * usable, given.boot), block);
        const later = Math.max(first, Math.min(32 * (usable + first), given.boot));
        for (const [index, stage] of stages.entries()) {
          if (stage <= (index === 0 ? first : later)) continue;
          expect(plugsOf(plan).map(({ size }) => size)).toContain(stage);
          // Stages are rounded down to powers of two.
          expect(2 + Math.ceil((2 * given.amount) / later)).toBeGreaterThanOrEqual(given.freeSlots);
        }
        const isTold = given.amount > first && stages.some((stage) => stage !== given.amount || stage > first);
        expect(plan.message.includes('memory map of all at once')).toBe(isTold);
      }),
      { numRuns: 3000 },
    );
  });

  test('stage after stage the map never takes more than half of what is free in boot memory, or 1/64 of boot memory', () => {
    fc.assert(
      fc.property(cases, (given) => {
        let request = requestOf({ ...given, freeSlots: 256 - given.modules.length });
        let { freeInBoot } = given as { freeInBoot: number };
        let rounds = 0;
        while (planOf(request).decision === 'plug') {
          const { request: next, stage } = plugStage(request);
          request = next;
          expect(stage).toBeGreaterThan(0);
          expect(mapOf(stage)).toBeLessThanOrEqual(Math.max(freeInBoot / 2, given.boot / 64, mapOf(block)));
          freeInBoot -= mapOf(stage);
          rounds += 1;
          expect(rounds).toBeLessThanOrEqual(256);
        }
        expect(planOf(request).reason).toBe('Converged');
      }),
      { numRuns: 300 },
    );
  });

  test('a little more or less that is used makes no other stages', () => {
    const plan = (usable: number) => {
      const request = requestOf({
        ...{
          boot: mib(1024),
          modules: [],
          freeInModules: bytes(0),
          amount: mib(12_288),
          freeSlots: 16,
          grow: 'Divisible',
        },
        freeInBoot: mib(usable),
      });
      return planOf(request).message;
    };
    expect(plan(101)).toBe(plan(120));
    expect(plan(101)).toContain('in 6 stages, 2Gi first');
  });

  test('a stage of which the guest has not said yet what it took is waited for, also when the rest is no more than another', () => {
    const request = requestOf({
      ...{ boot: mib(256), modules: [512], freeInModules: bytes(0), freeInBoot: mib(20), amount: mib(256) },
      ...{ freeSlots: 16, grow: 'Whole' },
    });
    const waits = (guest: PlannerObservation['guest']) =>
      plugsOf(planOf({ ...request, observation: { ...request.observation, guest } })).map(
        ({ waitForOnline }) => waitForOnline,
      );
    const report = { total: mib(153), usable: mib(20), fresh: true };
    expect(waits(report)).toEqual([true]);
    expect(waits({ ...report, takenOfModules: bytes(0) })).toEqual([true]);
    // It has it all, and much of it free.
    expect(waits({ total: mib(665), usable: mib(524), fresh: true, takenOfModules: mib(512) })).toEqual([false]);
  });

  test('a report from which the module that left was taken twice cuts nothing smaller', () => {
    const boot = mib(512);
    const request = requestOf({
      ...{ boot, modules: [], freeInModules: bytes(0), freeInBoot: bytes(0), amount: mib(512), freeSlots: 16 },
      grow: 'Whole',
    });
    const asTold = (total: Bytes) => {
      const observation = { ...request.observation, guest: { total, usable: bytes(0), fresh: true } };
      return plugsOf(planOf({ ...request, observation })).map(({ size }) => size);
    };
    expect(asTold(bytes(0))).toEqual([mib(512)]);
    // It has what it booted with, and has used it up.
    expect(asTold(boot)).toEqual([mib(128), mib(384)]);
  });
});
