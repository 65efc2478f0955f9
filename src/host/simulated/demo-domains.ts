/** The virtual machines of `npm run demo`: one for each thing that it tells. */
import { gib, mib } from '../../memory/bytes.ts';
import type { SimulatedDomainSpec } from './domain-spec.ts';

const common = { slots: 16, maxMemory: gib(64) } as const;

export const demoDomains: readonly SimulatedDomainSpec[] = [
  // Grows, shrinks, and is in the middle of it when everything is killed.
  { ...common, uuid: '00000000-0000-4000-8000-0000000000d1', name: 'web', boot: gib(1) },
  // Keeps its largest module, which something in it has pinned.
  {
    ...common,
    uuid: '00000000-0000-4000-8000-0000000000d2',
    name: 'db',
    boot: gib(1),
    modules: [{ size: mib(512) }, { size: mib(256) }, { size: mib(256) }],
    pinnedSlots: [0],
  },
  // Uses most of what it has.
  {
    ...common,
    uuid: '00000000-0000-4000-8000-0000000000d3',
    name: 'cache',
    boot: gib(2),
    modules: Array.from({ length: 4 }, () => ({ size: mib(512) })),
    used: gib(3),
  },
];
