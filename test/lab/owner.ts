/** Reserving a VM for a namespace, as docs/operations.md tells a host's admin to. */
import type { LabHypervisor } from './hypervisor.ts';

const uri = 'https://dimmer.dev/xmlns/owner/1';

/** Writes or removes the owner element of a domain; live where it runs, and in what is stored. */
export async function setOwner(
  { virsh }: Pick<LabHypervisor, 'virsh'>,
  domain: string,
  namespace: string | null,
): Promise<void> {
  const change =
    namespace === null ? ['--remove'] : ['--key', 'dimmer-owner', '--set', `<owner namespace="${namespace}"/>`];
  const { code, stderr } = await virsh(['metadata', domain, uri, ...change, '--live', '--config']);
  // Nothing to remove is what is wanted.
  if (code !== 0 && !(namespace === null && stderr.includes('metadata not found'))) throw new Error(stderr);
}
