/** Leases (coordination.k8s.io/v1), as leader election uses them. */
import { fail, type Result, succeed } from '../memory/result.ts';
import { isObject, lenient, Mismatch, object, orElse, text, thoseIn, whole } from '../memory/shape.ts';
import { shardLabel, shardSelectorAnnotation } from '../api/v1alpha1/shards.ts';
import type { Resource } from '../runtime/resources.ts';
import type { ResourceKind } from './resource-kind.ts';

/** What a Lease says; client-go's LeaderElectionRecord. */
export type LeaseRecord = {
  /** Empty: nobody. */
  readonly holder: string;
  /** How long those that see the record unchanged leave the holder in peace. */
  readonly durationMs: number;
  /** By the holder's clock, for people: nobody computes with it. RFC 3339 with microseconds; empty: not said. */
  readonly acquireTime: string;
  readonly renewTime: string;
  /** How often the holder has changed. */
  readonly transitions: number;
};

export type Lease = Resource & {
  readonly record: LeaseRecord;
  /** The selector of the shard whose Lease this is, as it stands there; null: it says none. */
  readonly selector: string | null;
  /** As it came: what else stands there is written again as it was. */
  readonly raw: Readonly<Record<string, unknown>>;
};

const parts = object({
  metadata: object({
    name: text({ minLength: 1 }),
    namespace: text({ minLength: 1 }),
    uid: text({ minLength: 1 }),
    resourceVersion: text({ minLength: 1 }),
    annotations: lenient(thoseIn(text())),
  }),
  spec: orElse(
    {},
    object({
      holderIdentity: lenient(text()),
      leaseDurationSeconds: lenient(whole()),
      acquireTime: lenient(text()),
      renewTime: lenient(text()),
      leaseTransitions: lenient(whole()),
    }),
  ),
});

function decodeLease(raw: unknown): Result<Lease, string> {
  const read = parts.read(raw);
  if (read instanceof Mismatch || !isObject(raw)) return fail('a Lease without name, uid or resourceVersion');
  const { spec } = read;
  const { annotations, ...metadata } = read.metadata;
  return succeed({
    metadata: { ...metadata, generation: 0 },
    selector: annotations?.[shardSelectorAnnotation] ?? null,
    record: {
      holder: spec.holderIdentity ?? '',
      durationMs: (spec.leaseDurationSeconds ?? 0) * 1_000,
      acquireTime: spec.acquireTime ?? '',
      renewTime: spec.renewTime ?? '',
      transitions: spec.leaseTransitions ?? 0,
    },
    raw,
  });
}

export const leases: ResourceKind<Lease> = {
  kind: 'Lease',
  base: '/apis/coordination.k8s.io/v1',
  plural: 'leases',
  namespaced: true,
  decode: decodeLease,
};

/**
 * The object that says `record`: a new one, or the one that was `seen`, to be written over that and no other.
 * @param selector of the hosts that the holder is there for, as text; empty: all
 */
export function leaseBody(
  target: { readonly namespace: string; readonly name: string; readonly selector: string },
  { holder, durationMs, acquireTime, renewTime, transitions }: LeaseRecord,
  seen: Lease | null,
): object {
  const { namespace, name, selector } = target;
  const labels = { [shardLabel]: 'true' };
  const annotations = { [shardSelectorAnnotation]: selector };
  const spec = {
    // Nobody is left out: the API server may refuse an empty name.
    ...(holder === '' ? {} : { holderIdentity: holder }),
    leaseDurationSeconds: Math.max(1, Math.ceil(durationMs / 1_000)),
    ...(acquireTime === '' ? {} : { acquireTime }),
    renewTime,
    leaseTransitions: transitions,
  };
  if (seen === null) {
    const metadata = { namespace, name, labels, annotations };
    return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
  }
  const { raw, metadata } = seen;
  const { uid, resourceVersion } = metadata;
  const kept = asObject(raw['metadata']);
  const { holderIdentity: _, ...keptSpec } = asObject(raw['spec']);
  const said = {
    labels: { ...asObject(kept['labels']), ...labels },
    annotations: { ...asObject(kept['annotations']), ...annotations },
  };
  const written = { ...kept, ...said, namespace, name, uid, resourceVersion };
  return { ...raw, metadata: written, spec: { ...keptSpec, ...spec } };
}

const asObject = (value: unknown): Readonly<Record<string, unknown>> => (isObject(value) ? value : {});
