/** What `dimmer pki --help` says. */
import { layOutHelp } from '../help.ts';

export const pkiUsage = layOutHelp({
  usage: [
    'dimmer pki init TRUST-DOMAIN [--days N] [--renew] [--dir DIR]',
    'dimmer pki agent NAME [--also NAME]... [--days N] [--renew] [--dir DIR]',
    'dimmer pki controller [--uri URI] [--days N] [--renew] [--dir DIR]',
    'dimmer pki list [--within DAYS] [--dir DIR]',
  ],
  about: [
    'Makes the certificates that agents and controller show each other, for whoever has no CA of their own. All of it is files in a directory on the machine of who runs this; who can read ca.key can make certificates, so keep it to yourself.',
    "'init' makes the CA. TRUST-DOMAIN is a name of yours, such as example.net: names of clients begin with spiffe://example.net/.",
    "'agent' makes a certificate for the agent at NAME, a host's name or IP address as in the HypervisorHost's spec.address; its folder agents/NAME holds tls.crt, tls.key and ca.crt, which go to /etc/dimmer on the host.",
    "'controller' makes the one that the controller shows, in the folder controller; its URI is what agents are told with --allow-client.",
    "'list' shows what there is, and until when.",
    'No file is overwritten. --renew makes a new key and certificate in the place of the old ones, for the same names where none are given; of the CA a new certificate for the same key, so that what it has signed stays good.',
  ],
  options: [
    { term: '--also NAME', about: "another name or IP address of the agent's host (repeatable)" },
    { term: '--uri URI', about: "the controller's name (default spiffe://TRUST-DOMAIN/dimmer/controller)" },
    {
      term: '--days N',
      about: "how long it is valid (default 365, of the CA 3650); no certificate outlives the CA's",
    },
    { term: '--renew', about: 'in the place of the one that is there' },
    { term: '--within DAYS', about: "of 'list': which certificates are to be renewed (default 30)" },
    { term: '--dir DIR', about: 'where it all is (default pki)' },
  ],
  examples: [
    'dimmer pki init example.net',
    'dimmer pki agent hv-07.example.net --also 10.0.0.7',
    'dimmer pki controller',
    'dimmer pki agent hv-07.example.net --renew',
  ],
  end: [
    "It exits with 0, and with 1 on bad usage, where something is there already or missing, and when 'list' finds a certificate that ends within DAYS.",
  ],
});
