import type { Script } from './fake-api-server.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

/** A VirtualMachineMemory as the API server sends it, namespace `t`. */
export const rawMemory = (name: string, resourceVersion: string, memory = '6Gi', uid = `uid-${name}`) => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemory',
  metadata: {
    name,
    namespace: 't',
    uid,
    resourceVersion,
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    managedFields: [{ manager: 'kubectl' }],
  },
  spec: { virtualMachine: { uuid }, memory, shrinkPolicy: 'Exact', guestSafety: 'Required', unplugTimeout: '30s' },
});

/** A page of a list; with `token`, one that goes on. */
export const page = (resourceVersion: string, items: readonly unknown[], token?: string) => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'VirtualMachineMemoryList',
  metadata: { resourceVersion, ...(token === undefined ? {} : { continue: token }) },
  items,
});

/** Answers a list. */
export const listOf =
  (resourceVersion: string, ...items: readonly unknown[]): Script =>
  (exchange) =>
    exchange.reply(200, page(resourceVersion, items));

/** A watch that stays open and says nothing. */
export const quiet: Script = () => undefined;

export const bookmark = (resourceVersion: string) => ({
  kind: 'VirtualMachineMemory',
  apiVersion: 'dimmer.dev/v1alpha1',
  metadata: { resourceVersion },
});

/** The object of an ERROR event. */
export const status = (code: number, reason: string) => ({
  kind: 'Status',
  status: 'Failure',
  code,
  reason,
  message: `${reason}!`,
});
