/** The revision of a domain: what changes are guarded by. */
import { createHash } from 'node:crypto';
import type { ModuleIdentity } from '../../memory/module.ts';
import type { Mark } from '../../memory/operation-state.ts';

/** What a revision is the hash of. */
export type RevisionInput = {
  readonly runtimeId: string | null;
  readonly modules: readonly (ModuleIdentity & { readonly size: number })[];
  readonly marks: readonly Mark[];
};

/**
 * A hash of the run of the domain, its modules and the unplugs under way, as 22 characters of base64url. Statistics and the claim
 * are left out, so that reading them twice or writing the claim makes no plan stale; so are resting slots, whose end
 * frees something and spoils no plan. Asking for a module again changes it (`attempts`): of two askers one is stale.
 */
export function computeRevision(input: RevisionInput): string {
  const modules = input.modules.map((module) => `${module.slot}:${module.base}:${module.size}`).toSorted();
  const marks = input.marks
    .filter((mark) => mark.phase === 'leaving')
    .map((mark) => `${mark.slot}:${mark.base}:${mark.attempts}`)
    .toSorted();
  const text = JSON.stringify([input.runtimeId, modules, marks]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
