/** What `dimmer adopt --help` says. */
import { layOutHelp } from '../help.ts';

export const adoptUsage = layOutHelp({
  usage: [
    'dimmer adopt [--output-dir DIR] [--libvirt-uri URI] [OPTIONS]',
    'dimmer adopt [--output-dir DIR] --agent URL --agent-client-cert-file FILE --agent-client-key-file FILE --agent-ca-file FILE [OPTIONS]',
  ],
  about: [
    "Writes a VirtualMachineMemory manifest for each VM that runs on a host, with the memory that it has now: applied at once, they change nothing. For a cluster and for 'dimmer standalone' alike. It only ever reads, and overwrites no file. What can't be done with a VM is said in a comment of its manifest, and on standard error.",
  ],
  options: [
    {
      term: '--output-dir DIR',
      about:
        "a file a VM, NAME.yaml; made where it isn't there. VMs that a manifest in it names already are left out (default: all manifests on standard output)",
    },
    {
      term: '--libvirt-uri URI',
      about: "where libvirt is (default qemu:///system); 'dimmer agent --help' lists the forms",
    },
    { term: '--agent URL', about: 'ask the agent of a host instead: https://HOST:PORT' },
    { term: '--agent-client-cert-file FILE', about: 'certificate that the agent admits, with' },
    { term: '--agent-client-key-file FILE', about: 'its key, and' },
    { term: '--agent-ca-file FILE', about: "the CA of the agent's certificate" },
    {
      term: '--agent-tls-server-name NAME',
      about: "the name in the agent's certificate (default: HOST of the URL)",
    },
    { term: '--allow-domains PATTERN', about: 'names of the VMs, with * and ? (default *)' },
    {
      term: '-n, --namespace NAMESPACE',
      about: 'of the manifests (default: the owner of the VM, else none is named)',
    },
    {
      term: '--host-ref NAME',
      about:
        "the HypervisorHost that the manifests name; 'localhost' is the host of 'dimmer standalone' (default: none, so that a VM is found on whichever host runs it)",
    },
    { term: '--include-claimed', about: 'VMs that Dimmer acts on already, too' },
    {
      term: '--log-level LEVEL',
      about: 'debug says where an error comes from that nobody foresaw (debug, info, warn, error)',
    },
  ],
  examples: [
    'dimmer adopt',
    'dimmer adopt --output-dir vms/',
    "dimmer adopt --allow-domains 'db-*' --namespace tenants | kubectl apply -f -",
  ],
  end: [
    "It exits with 0, and with 1 on bad usage, where the host can't be asked, or when a manifest couldn't be written.",
  ],
});
