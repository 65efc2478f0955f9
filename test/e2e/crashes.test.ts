/** Killing and restarting any part at any moment ends in the same final state (invariant I4). */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { type Stack, startStack } from '../lab/stack.ts';
import { openVirshShell, type VirshShell } from '../lab/virsh-shell.ts';

/** A module that is plugged lives longer. */
const LOOK_AGAIN_MS = 25;

/** Looks at the live XML over and over; `stop` gives the most modules that were ever seen at once, and how often it was seen. */
function watchModules(virsh: VirshShell, guest: LabGuest): { stop(): Promise<{ most: number; looks: number }> } {
  let most = 0;
  let looks = 0;
  let open = true;
  const look = async (): Promise<void> => {
    const xml = await virsh.ask(`dumpxml ${guest.uuid}`);
    // While libvirtd is down there is nothing to see.
    if (xml.includes('</domain>')) looks += 1;
    most = Math.max(most, xml.match(/<memory model='dimm'/g)?.length ?? 0);
  };
  const watching = (async () => {
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- `stop` changes it
    while (open) {
      await look();
      await delay(LOOK_AGAIN_MS);
    }
  })();
  return {
    async stop() {
      open = false;
      await watching;
      await look();
      return { most, looks };
    },
  };
}

await describeLab('crashes', () => {
  let stack: Stack;
  let guest: LabGuest;
  let virsh: VirshShell;
  beforeAll(async () => {
    const lab = await startLab({ controlPlane: {}, guests: [{ kind: 'accepting', name: 'db-1' }] });
    stack = await startStack(lab);
    guest = lab.guest('accepting');
    virsh = openVirshShell(lab.hypervisor.uri);
  });
  afterAll(async () => {
    await virsh.close();
    await stack.stop();
  });

  const parts = {
    controller: async () => {
      await stack.controller.stop('SIGKILL');
      return () => stack.controller.start();
    },
    agent: async () => {
      await stack.agent.stop('SIGKILL');
      return () => stack.agent.start();
    },
    libvirtd: async () => {
      await stack.lab.hypervisor.killDaemon('SIGKILL');
      return () => stack.lab.hypervisor.startDaemon();
    },
    'API server': async () => {
      await stack.lab.controlPlane.killApiServer();
      return () => stack.lab.controlPlane.restartApiServer();
    },
  };

  // From at once to some way into the change; what each hits is left to chance, where it ends is not.
  const moments = [0, 25, 100];
  const cases = Object.keys(parts).flatMap((part) => moments.map((ms) => ({ part: part as keyof typeof parts, ms })));

  it.each(cases)('$part killed $ms ms into a growth and a shrink', async ({ part, ms }) => {
    for (const memory of ['1Gi', '512Mi']) {
      const applied = await stack.apply(stack.manifest('db-1', guest.uuid, { memory, growPolicy: 'Whole' }));
      expect(applied.code, applied.stderr).toBe(0);
      const watch = watchModules(virsh, guest);
      await new Promise((resolve) => setTimeout(resolve, ms));
      const restart = await parts[part]();
      await restart();
      const object = await stack.reaches('db-1', 'Converged', 90_000);
      // Nothing plugged twice, not even for a moment. (A shrink may be over before the first look.)
      const { most, looks } = await watch.stop();
      expect(most).toBeLessThanOrEqual(1);
      expect(looks).toBeGreaterThan(1);
      // What is plugged at the end it sees: it isn't blind.
      if (memory === '1Gi') expect(most).toBe(1);
      expect(object.status?.memory?.current).toBe(memory);
      expect(await guest.moduleAliases()).toHaveLength(memory === '1Gi' ? 1 : 0);
      expect(object.status?.modules?.map(({ size }) => size)).toEqual(memory === '1Gi' ? ['512Mi'] : []);
    }
  });
});
