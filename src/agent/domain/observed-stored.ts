/** What the port says of a domain's stored definition, beside what runs. Pure. */
import type { StoredMemory } from '../../host/port.ts';
import {
  compareStored,
  type Comparison,
  type RunningDefinition,
  toStoredMemory,
  transientMemory,
  unreadableMemory,
} from '../../host/rules/stored.ts';
import { describeObstacle } from '../../memory/hotplug-obstacle.ts';
import type { DomainDescription, KnownStored } from './description.ts';
import { modulesOf } from './facts.ts';

const definitionOf = (memory: DomainDescription) => ({
  ...memory,
  hotplugProblem: memory.hotplugObstacle === null ? null : describeObstacle(memory.hotplugObstacle, memory),
});

/** A running domain as its stored definition is compared with it. */
const runningDefinitionOf = (memory: DomainDescription): RunningDefinition => ({
  ...definitionOf(memory),
  modules: modulesOf(memory),
});

/** What is to be written to a stored definition, and what is in the way. */
export const compareWithStored = (memory: DomainDescription, stored: DomainDescription): Comparison =>
  compareStored(runningDefinitionOf(memory), definitionOf(stored));

/** What the port says of a stored definition. */
export function tellStored(memory: DomainDescription, stored: KnownStored): StoredMemory {
  if (stored === 'unread') return unreadableMemory('the hypervisor did not say what it is');
  if (stored === null) return transientMemory(memory.name);
  if (!stored.ok) return unreadableMemory(`${stored.error.path}: ${stored.error.problem}`);
  return toStoredMemory(runningDefinitionOf(memory), definitionOf(stored.value));
}
