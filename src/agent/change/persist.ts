/** Making the modules of a running domain those of its stored definition: what has left is taken out, what is new put in. */
import { admitPersist } from '../../host/rules/admit.ts';
import { isSameClaim } from '../../host/rules/claim.ts';
import { type HostAnswer, hostError } from '../../host/errors.ts';
import type { PersistAnswer, PersistRequest } from '../../host/port.ts';
import { type Comparison, transientMemory } from '../../host/rules/stored.ts';
import { isKeptAlias } from '../../memory/module.ts';
import { fail, succeed } from '../../memory/result.ts';
import type { DomainDescription } from '../domain/description.ts';
import { modulesOf } from '../domain/facts.ts';
import { compareWithStored, tellStored } from '../domain/observed-stored.ts';
import { toHostError } from '../driver-error.ts';
import type { Totals } from '../with-audit.ts';
import { type ChangeContext, findDomain } from './prepare.ts';
import { recordLeader, writeOperationState } from './write-operation-state.ts';

const rejected = (message: string) => fail(hostError('rejected', message));

/**
 * Writes one module after the other, each in a call that affects the stored definition alone (docs/adr/0048). Whatever ends
 * it half-way, the next time goes on from what stands there. The caller holds the lock of the domain.
 */
export async function persistMemory(
  context: ChangeContext,
  uuid: string,
  revision: string,
  request: PersistRequest,
  totals: Totals,
): Promise<HostAnswer<PersistAnswer>> {
  const { driver, leaders } = context;
  if (!driver.capabilities.storedDefinition) return rejected('Stored definitions cannot be changed on this host');
  try {
    const found = await findDomain(context, uuid, totals, 'everything');
    if (!found.ok) return found;
    const { facts, observation, marks } = found.value;
    const { memory } = facts;
    const led = leaders.admit(request.leader);
    if (!led.ok) return led;
    const admitted = admitPersist(observation, revision, request);
    if (!admitted.ok) return admitted;
    totals.to = totals.from;
    if (modulesOf(memory).length < memory.modules.length) {
      return fail(hostError('busy', `A module of VM ${memory.name} is being plugged right now`));
    }
    const stored = await driver.describeStored(uuid);
    if (stored?.ok !== true) return rejected(tellStored(memory, stored).obstacle ?? '');
    const comparison = compareWithStored(memory, stored.value);
    if (!comparison.isSame) {
      if (comparison.obstacle !== null) return rejected(comparison.obstacle);
      const { claim, replacement } = admitted.value;
      if (!isSameClaim(facts.claim, claim)) await writeOperationState(context, facts, { claim, replacement, marks });
      await recordLeader(context, facts, request.leader);
      const still = leaders.admit(request.leader);
      if (!still.ok) return still;
      await write(context, memory, comparison);
    }
    const after = await driver.describeStored(uuid);
    facts.run?.sawStored(after);
    const told = tellStored(memory, after);
    if (told.isSame) return succeed({ revision, stored: told });
    return rejected(
      after === null
        ? (transientMemory(memory.name).obstacle ?? '')
        : 'The stored definition has become another one meanwhile',
    );
  } catch (error) {
    return fail(toHostError(error));
  }
}

/** First what frees slots and room below the maximum. */
async function write(
  { driver }: ChangeContext,
  { uuid, hasNumaNodes }: DomainDescription,
  { leaving, missing }: Comparison,
): Promise<void> {
  for (const module of leaving) await driver.unstoreModule(uuid, module);
  for (const { slot, alias, size, node, pageSize, hostNodes } of missing) {
    await driver.storeModule(uuid, {
      ...{ slot, size, node: hasNumaNodes ? node : null },
      alias: alias !== null && isKeptAlias(alias) ? alias : null,
      ...(pageSize === null ? {} : { pageSize }),
      ...(hostNodes === null ? {} : { hostNodes }),
    });
  }
}
