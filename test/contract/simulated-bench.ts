/** A simulated host as the contract needs it, and what its guests are told. */
import { guestMemory } from '../../src/host/simulated/guest.ts';
import type { SimulatedHost } from '../../src/host/simulated/script.ts';
import { createSimulatedHost } from '../../src/host/simulated/simulated-host.ts';
import type { Host } from '../../src/host/port.ts';
import { bytes } from '../../src/memory/bytes.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { ContractBench } from './bench.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const stoppedUuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a12';

/** A host with the two domains of the contract. */
export const createContractHost = (): SimulatedHost =>
  createSimulatedHost({
    clock: systemClock,
    removalMs: 10,
    onlineMs: 10,
    domains: [
      { uuid, name: 'db-1' },
      { uuid: stoppedUuid, name: 'off', state: 'ShutOff' },
    ],
  });

/** The bench of such a host, which is reached through `host` and ended with `dispose`. */
export function benchOfSimulated({ script }: SimulatedHost, host: Host, dispose: () => Promise<void>): ContractBench {
  return {
    ...{ host, uuid, stoppedUuid, dispose },
    setUnplugBehaviour(behaviour) {
      script.setUnplugBehaviour(uuid, 'all', behaviour);
      return Promise.resolve();
    },
    beforeUnplug: () => Promise.resolve(),
    letGo() {
      for (const mark of script.domain(uuid).operations.marks)
        if (mark.phase === 'leaving') script.letGo(uuid, mark.slot);
      return Promise.resolve();
    },
    useMemory(size) {
      const domain = script.domain(uuid);
      const idle = domain.used;
      script.setUsed(uuid, bytes(idle + size));
      return Promise.resolve({
        // The kernel kills what it can't hold.
        isAlive: () => Promise.resolve(domain.used <= guestMemory(domain, Date.now()).total),
        free() {
          script.setUsed(uuid, idle);
          return Promise.resolve();
        },
      });
    },
    setPaused(paused) {
      if (paused) script.pause(uuid);
      else script.resume(uuid);
      return Promise.resolve();
    },
    setShort(isShort) {
      script.setAttachProblem(isShort ? 'libvirt: Cannot allocate memory (error 1)' : null);
      return Promise.resolve();
    },
    setOnlines(onlines) {
      script.setOnlines(uuid, onlines);
      return Promise.resolve();
    },
    setOwner(namespace) {
      script.setOwner(uuid, namespace);
      return Promise.resolve();
    },
    storedTotal() {
      const { stored } = script.domain(uuid);
      return Promise.resolve(
        stored === null ? null : [...stored.boot, ...stored.modules].reduce((sum, part) => sum + part.size, 0),
      );
    },
    setTransient(isTransient) {
      script.setStored(uuid, isTransient ? null : {});
      return Promise.resolve();
    },
    plugByHand(slot, size) {
      script.plugByHand(uuid, { slot, size });
      return Promise.resolve();
    },
  };
}
