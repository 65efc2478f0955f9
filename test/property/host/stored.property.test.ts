/** A stored definition beside a running VM: what is compared, and what writing the difference leads to. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareStored,
  type DefinedModule,
  type Definition,
  type RunningDefinition,
  type RunningModule,
  toStoredMemory,
} from '../../../src/host/rules/stored.ts';
import { bytes, gib, mib } from '../../../src/memory/bytes.ts';

const backing = { base: null, pageSize: null, hostNodes: null };
const aliasOf = fc.constantFrom(null, 'ua-dimmer-0', 'ua-dimmer-1', 'ua-x', 'dimm0');
const sizeOf = fc.constantFrom(mib(128), mib(256), mib(512));
const nodeOf = fc.constantFrom(0, 1);
const running: fc.Arbitrary<readonly RunningModule[]> = fc
  .uniqueArray(fc.record({ slot: fc.integer({ min: 0, max: 5 }), size: sizeOf, node: nodeOf, alias: aliasOf }), {
    selector: ({ slot }) => slot,
    maxLength: 5,
  })
  .map((modules) => modules.map((module) => ({ ...module, ...backing })));
const stored: fc.Arbitrary<readonly DefinedModule[]> = fc
  .array(fc.record({ slot: fc.option(fc.integer({ min: 0, max: 5 })), size: sizeOf, node: nodeOf, alias: aliasOf }), {
    maxLength: 5,
  })
  .map((modules) => modules.map((module) => ({ ...module, ...backing })));

const definition: Definition = {
  arch: 'x86_64',
  boot: [
    { node: 0, size: gib(1) },
    { node: 1, size: gib(1) },
  ],
  maxMemory: { size: gib(16), slots: 16 },
  modules: [],
  others: [],
  otherTotal: bytes(0),
  hotplugProblem: null,
};
const vm = (modules: readonly RunningModule[]): RunningDefinition => ({ ...definition, name: 'db-1', modules });
const kept = (alias: string | null): string => (alias?.startsWith('ua-') === true ? alias : '');
const textOf = ({ slot, size, node, alias }: DefinedModule, isPlaced = true): string =>
  `${isPlaced ? slot : ''} ${size} ${node} ${kept(alias)}`;

/** By brute force: whether some pairing makes every module of one a module of the other. */
function isPaired(left: readonly RunningModule[], right: readonly DefinedModule[]): boolean {
  const [first, ...others] = left;
  if (first === undefined) return right.length === 0;
  return right.some(
    (module, index) =>
      textOf(first, false) === textOf(module, false) &&
      (module.slot === null || module.slot === first.slot) &&
      isPaired(others, right.toSpliced(index, 1)),
  );
}

describe('compareStored', () => {
  it('says the same as trying every pairing', () => {
    fc.assert(
      fc.property(running, stored, (now, then) => {
        expect(compareStored(vm(now), { ...definition, modules: then }).isSame).toBe(isPaired(now, then));
      }),
    );
  });

  it('what it says is missing and leaving makes the definition the same, and touches nothing that is', () => {
    fc.assert(
      fc.property(running, stored, (now, then) => {
        const { leaving, missing } = compareStored(vm(now), { ...definition, modules: then });
        const stays = then.filter((module) => !leaving.includes(module));
        const next = [...stays, ...missing];
        expect(compareStored(vm(now), { ...definition, modules: next })).toMatchObject({
          isSame: true,
          obstacle: null,
        });
        // The least that can be written.
        expect(stays.length + missing.length).toBe(now.length);
        const total = toStoredMemory(vm(now), { ...definition, modules: next }).memory?.total;
        expect(total).toBe(gib(2) + now.reduce((sum, { size }) => sum + size, 0));
      }),
    );
  });
});

describe('what is in the way', () => {
  const module = { slot: 0, size: mib(512), node: 0, alias: 'ua-dimmer-0', ...backing };
  const nvdimm = { model: 'nvdimm', slot: 1, size: mib(128), given: mib(128), requested: mib(128) };
  const obstacleOf = (change: Partial<Definition>, modules: readonly RunningModule[] = [module], there = definition) =>
    compareStored({ ...vm(modules), ...there, modules }, { ...definition, ...change }).obstacle;

  it('is nothing where a start gives what runs', () => {
    expect(obstacleOf({})).toBeNull();
    expect(obstacleOf({ modules: [module] })).toBeNull();
    expect(obstacleOf({ others: [nvdimm] })).toBeNull();
  });

  it.each<[string, Partial<Definition>, string]>([
    [
      'sum',
      { others: [{ ...nvdimm, size: gib(14) }] },
      'the definition would have 16896Mi, more than its <maxMemory> of 16Gi',
    ],
    ['slot', { others: [{ ...nvdimm, slot: 0 }] }, 'another memory device of the definition holds slot 0'],
    ['odd device', { others: [{ ...nvdimm, size: mib(50) }] }, 'behind nvdimm of 50Mi, which is no multiple of 128Mi'],
    ['no way to plug', { hotplugProblem: 'no <acpi/>' }, 'a start would give no modules: no <acpi/>'],
    ['no maximum', { maxMemory: null }, 'a <maxMemory> of none and the running VM of 16Gi'],
    ['cells', { boot: [{ node: 0, size: gib(2) }] }, 'NUMA cells of 0: 2Gi and the running VM of 0: 1Gi, 1: 1Gi'],
  ])('%s', (_, change, words) => {
    expect(obstacleOf(change)).toContain(words);
  });

  it('is a module of odd size, whose neighbours would be shifted', () => {
    expect(obstacleOf({}, [{ ...module, size: mib(100) }])).toContain('behind ua-dimmer-0 of 100Mi');
  });

  it('is more than 16 times boot memory', () => {
    const small = { boot: [{ node: 0, size: mib(128) }] };
    const there = { ...definition, ...small };
    const large = [{ ...module, size: gib(2) }];
    expect(obstacleOf(small, large, there)).toContain('more than 16 times its boot memory of 128Mi');
  });

  it('is more slots than there are', () => {
    const few = { ...definition, maxMemory: { size: gib(16), slots: 1 } };
    expect(obstacleOf({ maxMemory: few.maxMemory, others: [nvdimm] }, [module], few)).toContain('2 slots of 1');
  });
});
