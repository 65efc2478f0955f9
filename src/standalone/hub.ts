/** A directory of manifests as the place where resources live: what a cluster's API server is to the controller. */
import { resolve } from 'node:path';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { ResourceHub } from '../runtime/resources.ts';
import { AskedFolder } from './asked.ts';
import { loadSpecSchemas } from './crds.ts';
import { EventFiles } from './event-files.ts';
import { Intake } from './intake.ts';
import { ManifestDirectory } from './manifest-directory.ts';
import type { ManifestProblem } from './manifest.ts';
import { NamedNamespaces } from './namespaces.ts';
import { ResourceStore } from './resource-store.ts';
import { StateDirectory } from './state-directory.ts';
import { lockState, type StateLock } from './state-lock.ts';

export type StandaloneOptions = {
  /** The directory of manifests. */
  readonly manifests: string;
  /** Where to keep what an API server would; made where it is missing. One process uses it at a time. */
  readonly state: string;
  readonly clock: Clock;
  readonly logger: Logger;
};

export interface Standalone extends ResourceHub<VirtualMachineMemory, HypervisorHost> {
  /** What is wrong with the manifests now. */
  readonly problems: readonly ManifestProblem[];
  /** Why the directory of manifests can't be read now; null: it can. */
  readonly trouble: string | null;
}

/** Its id is that of the state directory, so that a VM is never a cluster's and its at once. Reads nothing before `start`. */
export function createStandalone(options: StandaloneOptions): Standalone {
  const { clock } = options;
  const logger = options.logger.child({ room: 'standalone' });
  const state = new StateDirectory(options.state);
  const memories = new ResourceStore<VirtualMachineMemory>(state, logger);
  const hosts = new ResourceStore<HypervisorHost>(state, logger);
  const namespaces = new NamedNamespaces();
  const events = new EventFiles({ state, clock, logger });
  const firstSet = Promise.withResolvers<undefined>();
  const intake = new Intake({
    ...{ schemas: loadSpecSchemas(), state, memories, hosts, namespaces, clock, logger },
    again: (ms) => directory.tellAgainWithin(ms),
  });
  const directory: ManifestDirectory = new ManifestDirectory({
    ...{ path: options.manifests, clock, logger },
    async onTaken(taken) {
      await intake.take(taken);
      firstSet.resolve(undefined);
    },
  });
  const asked = new AskedFolder(state.path, ({ namespace, name, annotations }) =>
    memories.annotate(`${namespace}/${name}`, annotations),
  );
  let lock: StateLock | null = null;
  let instance: string | null = null;

  return {
    virtualMachineMemories: memories,
    virtualMachineMemoryStatus: memories,
    virtualMachineMemoryFinalizers: memories.finalizers,
    hosts,
    hostStatus: hosts,
    namespaces,
    events,
    get problems() {
      return intake.problems;
    },
    get trouble() {
      return directory.trouble;
    },
    clusterId() {
      return instance === null ? Promise.reject(new Error('not started yet')) : Promise.resolve(instance);
    },
    async start() {
      await state.prepare();
      lock = lockState(state.path);
      instance = await state.instanceId();
      // Only who edits manifests by a command needs it: a full disk must not keep us from starting.
      await state
        .writeManifestsPath(resolve(options.manifests))
        .catch((error: unknown) => logger.warn({ err: String(error) }, 'where the manifests are can not be kept'));
      await intake.load();
      await directory.start();
      await firstSet.promise;
      hosts.setSynced();
      memories.setSynced();
      await asked
        .start()
        .catch((error: unknown) => logger.warn({ err: String(error) }, 'what is asked here can not be heard'));
    },
    async close() {
      await asked.close();
      await directory.close();
      await events.settled();
      lock?.release();
    },
  };
}
