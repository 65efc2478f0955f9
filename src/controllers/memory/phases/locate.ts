/** Finding the virtual machine, where this controller is there for its host. */
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import type { Share, Shards } from '../../shared/shards.ts';
import { stopped } from '../types.ts';
import {
  describeMachine,
  findWhereabouts,
  maxLooks,
  notFoundProblem,
  type Seen,
  type WhereContext,
  type Whereabouts,
} from './whereabouts.ts';

export type Location =
  | Exclude<Seen, { readonly kind: 'gone' }>
  /** Another controller is there for it; `ms`: in how long that may be known otherwise. */
  | Elsewhere;

export type Elsewhere = { readonly kind: 'elsewhere'; readonly ms: number | null };

/** Where to look, and for whose hosts. */
export type LocateContext = WhereContext & { readonly shards: Shards };

/** Finds the virtual machine of `resource`. Changes nothing. */
export async function locate(resource: VirtualMachineMemory, context: LocateContext): Promise<Location> {
  for (let look = 0; look < maxLooks; look += 1) {
    const where = await findWhereabouts(resource, context);
    const share = shareOf(where, context);
    switch (share.kind) {
      case 'own': {
        const seen = where.kind === 'at' ? await where.observe() : stopped(where.problem);
        if (seen.kind !== 'gone') return seen;
        break;
      }
      case 'other':
        return { kind: 'elsewhere', ms: null };
      case 'unsettled':
        return { kind: 'elsewhere', ms: share.ms };
      case 'unserved':
        // Another shard may come, and what waits for it has time.
        return stopped({ ...share.unserved, retry: true });
      default:
        return share satisfies never;
    }
  }
  return stopped(notFoundProblem(describeMachine(resource.spec.virtualMachine)));
}

/** Whose the virtual machine of `resource` is, by where it is. */
export async function findShare(resource: VirtualMachineMemory, context: LocateContext): Promise<Share> {
  return context.shards.shared ? shareOf(await findWhereabouts(resource, context), context) : { kind: 'own' };
}

const shareOf = (where: Whereabouts, { shards }: LocateContext): Share =>
  shards.shareOf((where.kind === 'at' ? where.entry : where.place)?.resource);
