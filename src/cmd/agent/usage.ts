/** What `dimmer agent --help` says. */
import { layOutHelp } from '../help.ts';

export const agentUsage = layOutHelp({
  usage: [
    'dimmer agent --allow-client URI [OPTIONS]',
    'dimmer agent check [OPTIONS] [-o text|json]',
    'dimmer agent release UUID [--libvirt-uri URI]',
  ],
  about: [
    "The host agent: observes, plugs and unplugs memory modules of this host's virtual machines through libvirt, for clients that show a certificate which an admin of this host has named.",
    "'check', with the same options, says what is wrong with this host and its VMs, and changes nothing. It exits with 0 when all is well (warnings may be left), and with 1 on bad usage or when there is a problem: the agent couldn't work, or a VM that --allow-domains admits can't be given memory (a pattern that leaves it out settles that). Run it as the agent's user.",
    "'release' removes what Dimmer keeps with a VM (the claim and the marks of unplugs), so that another cluster may claim it.",
  ],
  options: [
    {
      term: '--allow-client URI',
      about: 'URI name in the certificate of a client that may use the agent (required; repeatable)',
    },
    {
      term: '--allow-domains PATTERN',
      about: 'names of the VMs that the agent serves, with * and ? (default *)',
    },
    { term: '--listen HOST:PORT', about: 'serve HTTPS there (default 0.0.0.0:9443)' },
    {
      term: '--tls-cert-file FILE',
      about: "the agent's certificate (default /etc/pki/libvirt/servercert.pem)",
    },
    {
      term: '--tls-private-key-file FILE',
      about: 'its key (default /etc/pki/libvirt/private/serverkey.pem)',
    },
    { term: '--client-ca-file FILE', about: "CA of the clients' certificates (default /etc/pki/CA/cacert.pem)" },
    {
      term: '--driver DRIVER',
      about:
        "whose VMs: libvirt (default), or simulated: VMs that only exist in this process, for demos without libvirt and for tests of a controller against many agents; not for 'check' and 'release'",
    },
    {
      term: '--simulated-vms N|FIRST-LAST',
      about:
        'which VMs a simulated host has: the first N (default 4), or those of these numbers, so that two agents have different ones; at most 10000. VM 17 is the same everywhere: accepting-17, 00000000-0000-4000-8000-000000000017. In turn they are accepting (gives memory up), refusing, silent, and using (needs most of it)',
    },
    { term: '--libvirt-uri URI', about: 'where libvirt is (default qemu:///system), in a form below' },
    {
      term: '--guest-agent',
      about:
        'ask the QEMU guest agents, too, what memory blocks there are (guest-get-memory-blocks and guest-get-memory-block-info), for people: nothing is decided by what they say. libvirt marks a domain whose agent was asked as tainted (custom-ga-command). Off by default',
    },
    { term: '--log-level LEVEL', about: 'debug, info, warn or error (default info)' },
    { term: '-o, --output FORMAT', about: "of 'check': text (default) or json" },
  ],
  lists: [
    {
      title: 'Forms of --libvirt-uri',
      items: [
        { term: 'qemu:///system', about: 'by the UNIX socket of this host' },
        { term: 'qemu:///system?socket=PATH', about: 'by another UNIX socket' },
        { term: 'qemu+tls://HOST[:PORT]/system', about: 'by TLS, certificates under /etc/pki' },
        {
          term: 'qemu+tls://HOST/system?pkipath=DIR',
          about: 'by TLS, with cacert.pem, clientcert.pem and clientkey.pem in DIR',
        },
      ],
    },
  ],
  examples: [
    'dimmer agent check --allow-client spiffe://example.net/dimmer/controller',
    'dimmer agent --allow-client spiffe://example.net/dimmer/controller',
    'dimmer agent release 6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11',
  ],
});
