/** Takes away what a test left behind on a guest. */
import { stateNamespace } from '../../../src/libvirt/xml/operation-state.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import type { LabHypervisor } from '../../lab/hypervisor.ts';
import { waitFor } from '../../lab/wait.ts';

/** A guest that gives a module up does so in a quarter of a second; one that swallowed the request is asked again. */
const ASK_AGAIN_MS = 500;

/** Pins, refusals, modules, claim and marks. The guest is up, and so is libvirtd. */
export async function clearGuest(hypervisor: LabHypervisor, guest: LabGuest): Promise<void> {
  await guest.refuse(false);
  if ((await guest.quick('test -e /tmp/pin.pid')).code === 0) await guest.letGo();
  let askedAtMs = -Infinity;
  await waitFor(
    async () => {
      const aliases = await guest.moduleAliases();
      if (aliases.length > 0 && performance.now() - askedAtMs > ASK_AGAIN_MS) {
        for (const alias of aliases) await guest.unplugDimm(alias);
        askedAtMs = performance.now();
      }
      return aliases.length === 0;
    },
    { what: 'the guest to be without modules', timeoutMs: 30_000 },
  );
  const removed = await hypervisor.virsh(['metadata', guest.uuid, stateNamespace, '--live', '--remove']);
  if (removed.code !== 0 && !removed.stderr.includes('not')) throw new Error(removed.stderr);
}
