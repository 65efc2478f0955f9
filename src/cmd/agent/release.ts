/** `dimmer agent release UUID`: the way out for an admin when a claim stands that nobody will give up. */
import { connectHypervisor } from '../../drivers/libvirt/connect.ts';
import { isCallError } from '../../libvirt/domain/errors.ts';
import { stateNamespace, statePrefix } from '../../libvirt/xml/operation-state.ts';
import type { LibvirtEndpoint } from '../../libvirt/rpc/uri.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { describeError } from '../failure.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';

const connectMs = 10_000;

/** Removes claim and marks from the live metadata of a domain. Returns the exit code. */
export async function releaseDomain(uuid: string, endpoint: LibvirtEndpoint, io: CommandIo): Promise<number> {
  const hypervisor = connectHypervisor(endpoint, silentLogger);
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`libvirt did not answer in ${connectMs / 1000} s`)), connectMs);
      hypervisor.onConnection((change) => {
        clearTimeout(timer);
        if (change.kind === 'connected') resolve();
        else reject(new Error(`libvirt cannot be reached: ${change.message}`));
      });
      hypervisor.start();
    });
    const state = await hypervisor.getMetadata(uuid, stateNamespace);
    if (state === null) {
      io.stdout.write(`VM ${uuid} is not claimed\n`);
      return exitOk;
    }
    await hypervisor.setMetadata(uuid, stateNamespace, statePrefix, null);
    io.stdout.write(`VM ${uuid} is released; removed: ${state}\n`);
    return exitOk;
  } catch (error) {
    const problem = isCallError(error, 'InvalidState')
      ? `VM ${uuid} is not running: there is nothing to release`
      : describeError(error);
    io.stderr.write(`dimmer agent release: ${problem}\n`);
    return exitFailure;
  } finally {
    await hypervisor.close();
  }
}
