/**
 * The parts of Kubernetes' object metadata that Dimmer reads and writes, and what the kinds of resources share. Reading is
 * tolerant: the schema has judged the spec, but objects may be older than the schema, and a status may come from another
 * version of the controller. What a field's shape doesn't fit counts as absent; judging is left to the controller, which
 * says so in the status.
 */
import {
  finiteNumber,
  lenient,
  mapped,
  Mismatch,
  object,
  type Of,
  oneOf,
  orElse,
  type Shape,
  text,
  those,
  thoseIn,
  whole,
} from '../../memory/shape.ts';

export const apiVersion = 'dimmer.dev/v1alpha1';

/** Annotations that Dimmer honours. */
export const pausedAnnotation = 'dimmer.dev/paused';
export const reconcileRequestedAtAnnotation = 'dimmer.dev/reconcile-requested-at';
export const observeRequestedAtAnnotation = 'dimmer.dev/observe-requested-at';

/** Holds a deletion up until what Dimmer plugged has left the VM (spec.deletionPolicy Release). */
export const releaseFinalizer = 'dimmer.dev/release';

/** kubectl's own copy of a manifest, for its next apply: nobody else reads it, and it is as large as the spec. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
const annotations = mapped(thoseIn(text()), (all) => {
  const { [lastApplied]: _, ...others } = all;
  return others;
});

const nonEmpty = text({ minLength: 1 });
const metadataMembers = {
  name: nonEmpty,
  uid: nonEmpty,
  resourceVersion: nonEmpty,
  // Kinds without a spec of their own, such as Namespace, have none.
  generation: orElse(0, finiteNumber),
  creationTimestamp: orElse('', text()),
  deletionTimestamp: lenient(text()),
  annotations: lenient(annotations),
  labels: lenient(thoseIn(text())),
  finalizers: lenient(those(text())),
};
/** managedFields are dropped: nobody reads them, and they are half of the memory. */
export const objectMeta = object({ ...metadataMembers, namespace: lenient(text()) });
export const namespacedMeta = object({ ...metadataMembers, namespace: text() });
/** `namespace` is empty for cluster-scoped resources. */
export type ObjectMeta = Of<typeof objectMeta>;

/** metav1.Condition. */
export const ownCondition = object({
  type: text(),
  status: oneOf(['True', 'False', 'Unknown']),
  reason: text(),
  /** At most 32768 characters. */
  message: text(),
  /** RFC 3339, whole seconds. */
  lastTransitionTime: text(),
  /** Always there in ours; others need not set it. */
  observedGeneration: lenient(whole()),
});
export type Condition = Of<typeof ownCondition>;
export type ConditionStatus = Condition['status'];

/** A quantity as a user may write it: `6Gi`, `1536Mi`, or a plain number of bytes. */
export type Quantity = string | number;
export const quantity: Shape<Quantity> = {
  schema: { anyOf: [{ type: 'integer' }, { type: 'string' }] },
  read: (value) =>
    typeof value === 'string' || Number.isFinite(value) ? (value as Quantity) : new Mismatch('is not a quantity'),
};
