/** The kinds of manifests. */
export const kinds = ['VirtualMachineMemory', 'HypervisorHost'] as const;
export type Kind = (typeof kinds)[number];

export type KindFacts = {
  /** Also the name of its folder in the state directory. */
  readonly plural: 'virtualmachinememories' | 'hypervisorhosts';
  readonly namespaced: boolean;
};

export const kindFacts: Readonly<Record<Kind, KindFacts>> = {
  VirtualMachineMemory: { plural: 'virtualmachinememories', namespaced: true },
  HypervisorHost: { plural: 'hypervisorhosts', namespaced: false },
};
