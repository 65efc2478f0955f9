/** What `dimmer standalone --help` says. */
import { layOutHelp } from '../help.ts';
import { reconcilerItems } from '../option-values.ts';

export const standaloneUsage = layOutHelp({
  usage: ['dimmer standalone --manifests DIR [OPTIONS]'],
  about: [
    "Reconciles the VirtualMachineMemory manifests of a directory with the VMs of this host: the cluster's controller and the host's agent in one process, without a cluster. Edit a manifest, and the VM follows; 'dimmer status' says how far it is.",
  ],
  options: [
    {
      term: '--manifests DIR',
      about: 'manifests, in files *.yaml, *.yml and *.json, folders below it included (required)',
    },
    {
      term: '--state-dir DIR',
      about:
        'status, events and what must outlast a restart (default: $STATE_DIRECTORY, /var/lib/dimmer for root, ~/.local/state/dimmer for others); one process uses it at a time',
    },
    {
      term: '--driver DRIVER',
      about:
        'whose VMs: libvirt (default), or simulated: VMs that only exist in the state directory, to try this without libvirt',
    },
    {
      term: '--libvirt-uri URI',
      about: "where libvirt is (default qemu:///system); 'dimmer agent --help' lists the forms",
    },
    {
      term: '--simulated-vms N|FIRST-LAST',
      about:
        "which VMs a simulated host has (default 4); 'dimmer agent --help' says which those are. demo: those of 'npm run demo'",
    },
    {
      term: '--allow-domains PATTERN',
      about: "names of this host's VMs that may be served, with * and ? (default *)",
    },
    { term: '--guest-agent', about: "ask this host's QEMU guest agents, too, as in 'dimmer agent --help'" },
    {
      term: '--agent-client-cert-file FILE',
      about: 'certificate for the agents of other hosts, which HypervisorHost manifests name; with',
    },
    { term: '--agent-client-key-file FILE', about: 'its key, and' },
    { term: '--agent-ca-file FILE', about: "the CA of the agents' certificates" },
    ...reconcilerItems,
  ],
  examples: [
    'dimmer standalone --manifests vms/',
    'dimmer standalone --manifests vms/ --driver simulated --simulated-vms demo',
  ],
});
