/** The single steps of a repair (controller.ts): what is done to QEMU, and what is said of it. */
import { askForModule } from '../../host/rules/marks.ts';
import { totalOf } from '../../host/rules/total.ts';
import { zeroBytes } from '../../memory/bytes.ts';
import type { Mark } from '../../memory/operation-state.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { aliasOfBackend, slotOfAlias } from '../change/aliases.ts';
import type { Audit } from '../audit.ts';
import { writeOperationState } from '../change/write-operation-state.ts';
import type { DomainFacts } from '../domain/facts.ts';
import { settledMarks } from '../domain/observation.ts';
import type { Driver } from '../driver.ts';
import type { Orphan } from './findings.ts';

export type StepContext = {
  readonly driver: Driver;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when something was taken away, or QEMU refused to. */
  readonly onRepair: (outcome: 'ok' | 'rejected', durationMs: number) => void;
};

/**
 * Asks the guest to give an orphan up. What QEMU says against it, for people; null: nothing. The caller holds the lock
 * of the domain and has just seen the orphan. Rejects with a DriverError.
 */
export async function askForOrphan(context: StepContext, facts: DomainFacts, orphan: Orphan): Promise<string | null> {
  const { driver, clock } = context;
  const nowMs = clock.now();
  // As for any module, what is about to be asked is recorded first. The mark rests at once, since no XML shows the
  // module: its slot isn't reused while the command may still wait in libvirt, and whoever comes after a crash takes
  // the module for gone when he judges what the guest has.
  const asked = askForModule(settledMarks(facts, nowMs), orphan, facts.claim?.generation ?? 1, nowMs);
  const marks = asked.map((mark): Mark => (mark.alias === orphan.alias ? { ...mark, phase: 'resting' } : mark));
  await writeOperationState(context, facts, { claim: facts.claim, replacement: facts.replacement, marks });
  const refusal = await driver.monitor.requestRemoval(facts.memory.uuid, orphan.alias);
  recordStep(context, facts, orphan, refusal === null ? 'accepted' : 'rejected', clock.now() - nowMs);
  return refusal === null ? null : `QEMU refuses: ${refusal}`;
}

/** Deletes a memory backend that no module uses; whether QEMU did. Rejects with a DriverError. */
export async function deleteBackend(context: StepContext, facts: DomainFacts, name: string): Promise<boolean> {
  const { driver, clock, logger } = context;
  const startedAtMs = clock.now();
  const { uuid } = facts.memory;
  const refusal = await driver.monitor.deleteBackend(uuid, name);
  if (refusal !== null) logger.warn({ uuid, backend: name, err: refusal }, 'backend not deleted');
  const slot = slotOfAlias(aliasOfBackend(name) ?? '') ?? 0;
  recordStep(
    context,
    facts,
    { slot, size: zeroBytes },
    refusal === null ? 'done' : 'rejected',
    clock.now() - startedAtMs,
  );
  return refusal === null;
}

/** A step of a repair is a change of the domain like any other: audited, counted, logged. */
export function recordStep(
  context: Pick<StepContext, 'audit' | 'onRepair'>,
  facts: DomainFacts,
  { slot, size }: Pick<Orphan, 'slot' | 'size'>,
  result: 'accepted' | 'done' | 'rejected',
  durationMs: number,
): void {
  const { uuid } = facts.memory;
  const claim = facts.claim ?? { clusterId: '', objectUid: '', namespace: '', generation: 0 };
  const to = totalOf(facts.memory);
  const totals = { from: to + size, to: result === 'rejected' ? null : to };
  const who = { client: 'agent', requestId: '-' };
  context.audit({ operation: 'repair', ...who, uuid, slot, ...claim, ...totals, result, durationMs });
  if (result !== 'accepted') context.onRepair(result === 'done' ? 'ok' : result, durationMs);
}
