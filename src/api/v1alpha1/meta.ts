/** The parts of Kubernetes' object metadata that Dimmer reads and writes. */

export const apiVersion = 'dimmer.dev/v1alpha1';

/** Annotations that Dimmer honours. */
export const pausedAnnotation = 'dimmer.dev/paused';
export const reconcileRequestedAtAnnotation = 'dimmer.dev/reconcile-requested-at';
export const observeRequestedAtAnnotation = 'dimmer.dev/observe-requested-at';

export type ObjectMeta = {
  readonly name: string;
  /** Empty for cluster-scoped resources. */
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
};

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** metav1.Condition. */
export type Condition = {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  /** At most 32768 characters. */
  readonly message: string;
  /** RFC 3339, whole seconds. */
  readonly lastTransitionTime: string;
  /** Always there in ours; others need not set it. */
  readonly observedGeneration?: number;
};
