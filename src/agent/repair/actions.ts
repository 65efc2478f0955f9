/** The single steps of a repair (orphans.ts): what is done to QEMU, and what is said of it. */
import { totalOf } from '../../host/rules/total.ts';
import type { Hypervisor } from '../../libvirt/domain/hypervisor.ts';
import { deleteDevice, deleteObject } from '../../libvirt/domain/monitor-memory.ts';
import { zeroBytes } from '../../memory/bytes.ts';
import type { Mark } from '../../memory/operation-state.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { aliasOfBackend, slotOfAlias } from '../change/aliases.ts';
import type { Audit } from '../audit.ts';
import { keepState } from '../change/write-operation-state.ts';
import type { Orphan } from './findings.ts';
import { askForModule } from '../../host/rules/marks.ts';
import { type DomainFacts, settledMarks } from '../domain/observation.ts';

export type StepContext = {
  readonly hypervisor: Hypervisor;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when something was taken away, or QEMU refused to. */
  readonly onRepair: (outcome: 'ok' | 'rejected', durationMs: number) => void;
};

/**
 * Asks the guest to give an orphan up. What QEMU says against it, for people; null: nothing. The caller holds the lock
 * of the domain and has just seen the orphan. Rejects with a LibvirtError.
 */
export async function askForOrphan(context: StepContext, facts: DomainFacts, orphan: Orphan): Promise<string | null> {
  const { hypervisor, clock } = context;
  const nowMs = clock.now();
  // As for any module, what is about to be asked is recorded first. The mark rests at once, since no XML shows the
  // module: its slot isn't reused while the command may still wait in libvirt, and whoever comes after a crash takes
  // the module for gone when he judges what the guest has.
  const asked = askForModule(settledMarks(facts, nowMs), orphan, facts.claim?.generation ?? 1, nowMs);
  const marks = asked.map((mark): Mark => (mark.alias === orphan.alias ? { ...mark, phase: 'resting' } : mark));
  await keepState(context, facts, { claim: facts.claim, replacement: facts.replacement, marks });
  const answer = await hypervisor.monitorCommand(facts.memory.uuid, deleteDevice(orphan.alias));
  const isAsked = answer.ok || answer.error.class === 'DeviceNotFound';
  recordStep(context, facts, orphan, isAsked ? 'accepted' : 'rejected', clock.now() - nowMs);
  return isAsked ? null : `QEMU refuses: ${answer.error.description}`;
}

/** Deletes a memory backend that no module uses; whether QEMU did. Rejects with a LibvirtError. */
export async function deleteBackend(context: StepContext, facts: DomainFacts, name: string): Promise<boolean> {
  const { hypervisor, clock, logger } = context;
  const startedAtMs = clock.now();
  const { uuid } = facts.memory;
  const answer = await hypervisor.monitorCommand(uuid, deleteObject(name));
  if (!answer.ok) logger.warn({ uuid, backend: name, error: answer.error.description }, 'backend not deleted');
  const slot = slotOfAlias(aliasOfBackend(name) ?? '') ?? 0;
  recordStep(context, facts, { slot, size: zeroBytes }, answer.ok ? 'done' : 'rejected', clock.now() - startedAtMs);
  return answer.ok;
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
