/** What the agent says of its host. */
import { absentAs, described, object } from '../../../memory/shape.ts';
import { bytes, list, orNull, text, whole } from './words.ts';

const hostNode = object({
  id: whole('Number of the NUMA node'),
  total: bytes('Memory of the node'),
  available: bytes('What can be allocated without swapping'),
  hugepages: list(
    object({ pageSize: bytes('Size of a page'), total: whole('Pages in the pool'), free: whole('Free pages') }),
    'Pools of huge pages',
  ),
});

export const hostFacts = described(
  object({
    agentVersion: text('Version of the agent'),
    libvirtVersion: text('Version of libvirt'),
    hypervisorVersion: text('Version of the hypervisor'),
    memory: object({
      total: bytes('Memory of the host'),
      available: bytes('What can be allocated without swapping, less what is being plugged'),
      committed: bytes('Memory of all running VMs, touched or not'),
    }),
    nodes: list(hostNode),
    /** None from an older agent, which knows no pages on demand. */
    hugepagePools: absentAs(
      [],
      list(
        object({
          pageSize: bytes('Size of a page'),
          /** To mappings that haven't touched them, and to modules being plugged. */
          reserved: whole('Free pages that are promised already'),
          onDemand: whole('Pages that the kernel may still make of ordinary memory'),
        }),
        'Huge pages of the whole host, by size',
      ),
    ),
    virtualMachines: whole('Running and defined VMs that the agent admits'),
    /** null: an older agent doesn't say. */
    virtualMachinesWithoutOwner: absentAs(
      null,
      whole('Of those the running ones that no owner element reserves for a namespace'),
    ),
    /** null: an older agent doesn't say. */
    namespaces: absentAs(
      null,
      list(
        object({
          clusterId: orNull(text('Identity of the cluster'), "null: by the owner element of the host's admin alone"),
          namespace: text('Namespace'),
          committed: bytes('Memory of its running VMs, touched or not, and what is being plugged there'),
        }),
        'What VMs are promised, by whose they are: by their claims and owner elements',
      ),
    ),
  }),
  'A hypervisor host',
);
