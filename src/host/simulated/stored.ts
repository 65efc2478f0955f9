/** The stored definitions of simulated VMs: what they are started from, compared and written as the agent does it. */
import { type HostAnswer, hostError } from '../errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import { isKeptAlias } from '../../memory/module.ts';
import type { PersistAnswer, PersistRequest, StoredMemory } from '../port.ts';
import { admitPersist } from '../rules/admit.ts';
import {
  compareStored,
  type DefinedModule,
  type Definition,
  type RunningDefinition,
  toStoredMemory,
  transientMemory,
} from '../rules/stored.ts';
import type { SimulatedChangeContext } from './changes.ts';
import { addModule, settledMarks, type SimulatedDomain, type SimulatedStored } from './model.ts';

const devicesOf = ({ others, otherTotal }: SimulatedDomain): Pick<Definition, 'others' | 'otherTotal'> => ({
  others: others.map(({ name, size }) => ({ model: name, slot: null, size, given: size, requested: size })),
  otherTotal,
});

const runningOf = (domain: SimulatedDomain): RunningDefinition => ({
  ...devicesOf(domain),
  name: domain.name,
  arch: domain.architecture,
  boot: domain.boot,
  maxMemory: maximumOf(domain),
  modules: domain.modules.map((module) => ({ ...module, hostNodes: null })),
  hotplugProblem: domain.hotplugProblem,
});

const maximumOf = ({ maxMemory, slots }: Pick<SimulatedStored, 'maxMemory' | 'slots'>): Definition['maxMemory'] =>
  maxMemory === null ? null : { size: maxMemory, slots };

const definitionOf = (domain: SimulatedDomain, stored: SimulatedStored): Definition => ({
  ...devicesOf(domain),
  arch: domain.architecture,
  boot: stored.boot,
  maxMemory: maximumOf(stored),
  modules: stored.modules,
  hotplugProblem: domain.hotplugProblem,
});

/** What the port says of the domain's stored definition. */
export const observeStored = (domain: SimulatedDomain): StoredMemory =>
  domain.stored === null
    ? transientMemory(domain.name)
    : toStoredMemory(runningOf(domain), definitionOf(domain, domain.stored));

/** Writes as the agent would. */
export function persistSimulated(
  context: SimulatedChangeContext,
  domain: SimulatedDomain,
  revision: string,
  request: PersistRequest,
): HostAnswer<PersistAnswer> {
  const admitted = admitPersist(context.observe(domain), revision, request);
  if (!admitted.ok) return admitted;
  const { stored } = domain;
  if (stored === null) return fail(hostError('rejected', observeStored(domain).obstacle ?? ''));
  const comparison = compareStored(runningOf(domain), definitionOf(domain, stored));
  if (!comparison.isSame) {
    if (comparison.obstacle !== null) return fail(hostError('rejected', comparison.obstacle));
    const { claim, replacement } = admitted.value;
    domain.operations = { claim, replacement, marks: settledMarks(domain, context.clock.now()) };
    const problem = context.storeProblem();
    if (problem !== null) return fail(hostError('hypervisor-failed', problem));
    const stays = stored.modules.filter((module) => !comparison.leaving.includes(module));
    const comes = comparison.missing.map(({ slot, size, node, alias, pageSize, hostNodes }): DefinedModule => ({
      ...{ slot, size, node, pageSize, hostNodes, base: null },
      alias: alias !== null && isKeptAlias(alias) ? alias : null,
    }));
    domain.stored = { ...stored, modules: [...stays, ...comes] };
    context.stored();
  }
  return succeed({ revision, stored: observeStored(domain) });
}

/** A start: what is stored is what the domain has from now on. @param onlineAtMs when its guest has taken up its modules */
export function startFromStored(domain: SimulatedDomain, onlineAtMs: number): void {
  const { stored } = domain;
  if (stored === null) return;
  domain.boot = stored.boot;
  domain.maxMemory = stored.maxMemory;
  domain.slots = stored.slots;
  for (const { slot, size, node, alias, pageSize } of stored.modules) {
    const free = slot ?? firstFree(domain);
    addModule(domain, { slot: free, size, node, alias: alias ?? `dimm${free}`, pageSize, onlineAtMs });
  }
}

function firstFree({ modules }: SimulatedDomain): number {
  const taken = new Set(modules.map(({ slot }) => slot));
  let slot = 0;
  while (taken.has(slot)) slot += 1;
  return slot;
}
