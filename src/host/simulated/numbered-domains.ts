/**
 * Virtual machines by number, for demos and scale tests without libvirt. Number n is the same VM wherever it is asked
 * for: its uuid shows the number, its name how the guest behaves. Hosts with different numbers have different VMs, and
 * a number on two hosts is a VM that runs twice.
 *
 * Numbers rather than a seed or the port of the agent: which VMs there are is said in the same word as how many, a port
 * may be chosen anew at every start, and a manifest for a VM can be written before any agent runs.
 */
import { type Bytes, bytes, gib, mib } from '../../memory/bytes.ts';
import type { SimulatedDomainSpec } from './domain-spec.ts';

/** From 1; `last` is included. */
export type DomainNumbers = { readonly first: number; readonly last: number };

type Kind = Pick<SimulatedDomainSpec, 'name' | 'boot' | 'modules' | 'used' | 'unplugBehaviour'>;

/** What number 1, 2, 3, 4 is, and then again. None can have more than 16 times its boot memory (module.ts). */
const kinds: readonly [Kind, ...Kind[]] = [
  { name: 'accepting', boot: gib(1) },
  { name: 'refusing', boot: gib(2), unplugBehaviour: 'refuse' },
  { name: 'silent', boot: gib(1), unplugBehaviour: 'silent' },
  // Has been grown to 4 GiB and uses most of it: one of its modules can go, not two.
  { name: 'using', boot: gib(2), modules: Array.from({ length: 4 }, () => ({ size: mib(512) })), used: gib(3) },
];

const slots = 16;
const maxMemory = gib(64);

/** The uuid of a number, whose last digits it is. @param number 1 to 10^12 - 1 */
export const uuidOfNumber = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;

function numberedDomain(number: number): SimulatedDomainSpec {
  const kind = kinds[(number - 1) % kinds.length] ?? kinds[0];
  return { ...kind, uuid: uuidOfNumber(number), name: `${kind.name}-${number}`, slots, maxMemory };
}

/** The VMs of those numbers, all running. */
export const numberedDomains = ({ first, last }: DomainNumbers): readonly SimulatedDomainSpec[] =>
  Array.from({ length: last - first + 1 }, (_, index) => numberedDomain(first + index));

/** Memory of a host on which each of the VMs could have its maximum. */
export const memoryForNumbered = ({ first, last }: DomainNumbers): Bytes => bytes((last - first + 1) * maxMemory);
