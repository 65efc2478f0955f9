/** Whose a virtual machine is, against the sentence in docs/user-guide.md taken word by word. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AllowedNamespaces } from '../../../src/api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { type NamespaceLabels, type Placed } from '../../../src/controllers/shared/entitlement.ts';
import { judgeOwnership } from '../../../src/controllers/memory/phases/ownership.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const namespaces = ['red', 'blue', 'green'] as const;

type Draft = {
  readonly namespace: string;
  readonly age: number;
  readonly by: 'uuid' | 'other-uuid' | 'name' | 'other-name';
  readonly hostRef: 'hv-1' | 'hv-2' | null;
  readonly pinned: boolean;
};

const draft: fc.Arbitrary<Draft> = fc.record({
  namespace: fc.constantFrom(...namespaces),
  age: fc.integer({ min: 0, max: 3 }),
  by: fc.constantFrom('uuid', 'uuid', 'uuid', 'other-uuid', 'name', 'other-name'),
  hostRef: fc.constantFrom(null, 'hv-1', 'hv-2'),
  pinned: fc.boolean(),
});

const allowedNamespaces: fc.Arbitrary<AllowedNamespaces> = fc.oneof(
  fc.constant({ from: 'All' as const }),
  fc.constant({ from: 'None' as const }),
  fc.constant({ from: 'Selector' as const, selector: { matchLabels: { open: 'yes' } } }),
);

const scene = fc.record({
  drafts: fc.array(draft, { minLength: 1, maxLength: 6 }),
  allowed: allowedNamespaces,
  labels: fc.record({
    red: fc.constantFrom({ open: 'yes' }, {}, undefined),
    blue: fc.constantFrom({ open: 'yes' }, {}, undefined),
    green: fc.constantFrom({ open: 'yes' }, {}, undefined),
  }),
  owner: fc.constantFrom(null, ...namespaces),
  requireOwner: fc.boolean(),
  claimedBy: fc.option(fc.nat({ max: 7 })),
  ours: fc.boolean(),
  complete: fc.boolean(),
});

const resourceOf = ({ namespace, age, by, hostRef, pinned }: Draft, index: number): VirtualMachineMemory => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemory',
  metadata: {
    name: `r${index}`,
    namespace,
    uid: `uid-${index}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: new Date(age * 1000).toISOString(),
  },
  spec: {
    virtualMachine: by.endsWith('uuid')
      ? { uuid: by === 'uuid' ? uuid : uuid.replace('6', '7') }
      : { name: by === 'name' ? 'db-1' : 'db-2' },
    ...(hostRef === null ? {} : { hostRef: { name: hostRef } }),
  },
  ...(pinned ? { status: { virtualMachine: { uuid: uuid.replace('6', '8'), name: 'db-1', state: 'Running' } } } : {}),
});

test('one resource has it at most, the oldest that may; in the dark only who holds the claim', () => {
  fc.assert(
    fc.property(scene, ({ drafts, allowed, labels, owner, requireOwner, claimedBy, ours, complete }) => {
      const resources = drafts.map(resourceOf);
      const labelsOf = (name: string): NamespaceLabels => labels[name as (typeof namespaces)[number]];
      const placed: Placed = {
        hostName: 'hv-1',
        host: { allowedNamespaces: allowed, requireOwner },
        observation: { uuid, name: 'db-1', ownerNamespace: owner },
      };
      // true, false, or null: nobody knows.
      const may = drafts.map(({ namespace, by, hostRef, pinned }): boolean | null => {
        const here = by === 'uuid' ? hostRef !== 'hv-2' : by === 'name' && hostRef === 'hv-1' && !pinned;
        const reserved = owner === null ? requireOwner : owner !== namespace;
        if (!here || reserved || allowed.from === 'None') return false;
        if (allowed.from === 'All') return true;
        const known = labelsOf(namespace);
        return known === undefined ? null : known['open'] === 'yes';
      });
      const byAge = drafts
        .map(({ age }, index) => ({ age, index }))
        .toSorted((a, b) => a.age - b.age || a.index - b.index)
        .map(({ index }) => index);
      const rightful = byAge.find((index) => may[index] === true);
      const objectUid = `uid-${claimedBy ?? 0}`;
      const clusterId = ours ? 'ours' : 'theirs';
      const claim = claimedBy === null ? null : { clusterId, objectUid, namespace: 'red', generation: 9 };

      for (const [index, resource] of resources.entries()) {
        if (may[index] !== true) continue;
        const verdict = judgeOwnership({
          ...{ resource, placed, claim, complete, labelsOf },
          clusterId: 'ours',
          others: resources,
        });
        const isDark = !complete || byAge.slice(0, byAge.indexOf(index)).some((older) => may[older] === null);
        const holds = ours && claimedBy === index;
        const isForeign = claim !== null && !ours;
        expect(verdict.ok).toBe(index === rightful && !isForeign && (!isDark || holds));
        if (verdict.ok) expect(verdict.value.replacesUid).toBe(claim === null || holds ? null : objectUid);
        else if (index !== rightful) {
          expect(verdict.error.reason).toBe('DuplicateClaim');
          // Another's name is told to the log alone, unless it is of the reader's own namespace.
          const other = drafts[rightful ?? -1]?.namespace ?? '';
          const isOwn = other === resource.metadata.namespace;
          expect(verdict.error.message.includes(`${other}/r${rightful}`)).toBe(isOwn);
          expect(verdict.error.adminDetail).toContain(`${other}/r${rightful}`);
        } else expect(verdict.error.reason).toBe(isForeign ? 'ClaimedByOther' : 'VMBusy');
      }
    }),
    { numRuns: 2_000 },
  );
});
