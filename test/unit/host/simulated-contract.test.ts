import { describeHostContract } from '../../contract/host-contract.ts';
import { guestMemory } from '../../../src/host/simulated/guest.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { bytes } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';
const stoppedUuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a12';

describeHostContract('simulated host', () => {
  const host = createSimulatedHost({
    clock: systemClock,
    removalMs: 10,
    onlineMs: 10,
    domains: [
      { uuid, name: 'db-1' },
      { uuid: stoppedUuid, name: 'off', state: 'ShutOff' },
    ],
  });
  const { script } = host;
  return Promise.resolve({
    host,
    uuid,
    stoppedUuid,
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
    plugByHand(slot, size) {
      script.plugByHand(uuid, { slot, size });
      return Promise.resolve();
    },
    dispose: () => host.close(),
  });
});
