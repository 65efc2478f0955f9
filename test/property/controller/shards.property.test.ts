/** Whose a host is, whatever the shards' selectors are and however their starts are interleaved. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFirstShard, judgeHostShard, type Shard } from '../../../src/api/v1alpha1/shards.ts';
import { parseLabelSelector } from '../../../src/api/v1alpha1/selector-text.ts';

const selectors = ['zone=a', 'zone=b', 'zone in (a,c)', 'zone!=a', '!gpu', 'gpu', 'zone=b,gpu', ''].map((text) => {
  const read = parseLabelSelector(text);
  if (!read.ok) throw new Error(read.error);
  return read.value;
});
const hosts = [{}, { zone: 'a' }, { zone: 'b' }, { zone: 'c', gpu: '' }, { gpu: '' }, { zone: 'b', gpu: 'x' }].map(
  (labels) => ({ metadata: { labels } as unknown as Parameters<typeof judgeHostShard>[0]['metadata'] }),
);
const names = ['a', 'b', 'c', 'd'];
const selector = fc.constantFrom(...selectors);
const shards = fc
  .uniqueArray(fc.record({ name: fc.constantFrom(...names), selector, isTaken: fc.boolean(), isHeld: fc.boolean() }), {
    selector: ({ name }) => name,
    minLength: 1,
  })
  .map((all) => all.map((shard): Shard => ({ ...shard, isHeld: shard.isTaken && shard.isHeld })));

test('one at most acts on a host, and of those that are held exactly one speaks of what nobody acts on', () => {
  fc.assert(
    fc.property(shards, fc.constantFrom(...hosts), (all, host) => {
      const taken = all.filter(({ isTaken }) => isTaken);
      const own = taken.filter(({ name }) => judgeHostShard(host, all, name).kind === 'own');
      expect(own.length).toBeLessThan(2);
      const held = all.filter(({ isHeld }) => isHeld);
      const first = all.filter(({ name }) => isFirstShard(all, name));
      expect(first.length).toBe(held.length === 0 ? 0 : 1);
    }),
  );
});

test('each says what it is there for before it reads what the others are: two never act on one host', () => {
  type Step = { readonly name: string; readonly does: 'lead' | 'read' | 'end'; readonly selector: Shard['selector'] };
  const steps = fc.array(
    fc.record({ name: fc.constantFrom(...names), does: fc.constantFrom('lead', 'read', 'read', 'end'), selector }),
    { maxLength: 30 },
  ) as fc.Arbitrary<Step[]>;
  fc.assert(
    fc.property(steps, (all) => {
      const leases = new Map<string, Shard>();
      /** What each that leads has read last; it acts once it has read anything, also if the others have changed since. */
      const views = new Map<string, readonly Shard[]>();
      for (const { name, does, selector: of } of all) {
        if (does === 'lead') {
          // Another process follows: what the one before it has read ends with that.
          views.delete(name);
          leases.set(name, { name, selector: of, isTaken: true, isHeld: true });
        } else if (does === 'end') {
          views.delete(name);
          const lease = leases.get(name);
          if (lease !== undefined) leases.set(name, { ...lease, isTaken: false, isHeld: false });
        } else if (leases.get(name)?.isTaken === true) views.set(name, [...leases.values()]);
        for (const host of hosts) {
          const acting = [...views].filter(([own, view]) => judgeHostShard(host, view, own).kind === 'own');
          expect(acting.map(([own]) => own).length).toBeLessThan(2);
        }
      }
    }),
    { numRuns: 500 },
  );
});
