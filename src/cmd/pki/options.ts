/** The command line of `dimmer pki`. */
import { isTrustDomain, readHostName, readSpiffeId, type CertificateName } from '../../pki/names.ts';
import { readArguments } from '../arguments.ts';
import { catchMistake, Mistake } from '../option-values.ts';

export const pkiUsage = `Usage: dimmer pki init TRUST-DOMAIN [--days N] [--renew] [--dir DIR]
       dimmer pki agent NAME [--also NAME]... [--days N] [--renew] [--dir DIR]
       dimmer pki controller [--uri URI] [--days N] [--renew] [--dir DIR]
       dimmer pki list [--within DAYS] [--dir DIR]

Makes the certificates that agents and controller show each other, for whoever has no CA of their own. All of it is files in
a directory on the machine of who runs this; who can read ca.key can make certificates, so keep it to yourself.

'init' makes the CA. TRUST-DOMAIN is a name of yours, such as example.net: names of clients begin with spiffe://example.net/.
'agent' makes a certificate for the agent at NAME, a host's name or IP address as in the HypervisorHost's spec.address; its
folder agents/NAME holds tls.crt, tls.key and ca.crt, which go to /etc/dimmer on the host. 'controller' makes the one that
the controller shows, in the folder controller; its URI is what agents are told with --allow-client. 'list' shows what
there is, and until when.

No file is overwritten. --renew makes a new key and certificate in the place of the old ones, for the same names where none
are given; of the CA a new certificate for the same key, so that what it has signed stays good.

Options:
  --also NAME       another name or IP address of the agent's host (repeatable)
  --uri URI         the controller's name (default spiffe://TRUST-DOMAIN/dimmer/controller)
  --days N          how long it is valid (default 365, of the CA 3650); no certificate outlives the CA's
  --renew           in the place of the one that is there
  --within DAYS     of 'list': which certificates are to be renewed (default 30)
  --dir DIR         where it all is (default pki)
  --help

Examples:
  dimmer pki init example.net
  dimmer pki agent hv-07.example.net --also 10.0.0.7
  dimmer pki controller
  dimmer pki agent hv-07.example.net --renew

It exits with 0, and with 1 on bad usage, where something is there already or missing, and when 'list' finds a certificate
that ends within DAYS.
`;

type Common = { readonly directory: string };
type Making = Common & { readonly days: number; readonly renew: boolean };

export type PkiArguments =
  | (Making & { readonly task: 'init'; readonly trustDomain: string | null })
  | (Making & { readonly task: 'agent'; readonly name: CertificateName; readonly also: readonly CertificateName[] })
  | (Making & { readonly task: 'controller'; readonly uri: CertificateName | null })
  | (Common & { readonly task: 'list'; readonly within: number });

export type ReadPkiArguments =
  | { readonly kind: 'run'; readonly options: PkiArguments }
  | { readonly kind: 'help' }
  | { readonly kind: 'bad-usage'; readonly problem: string };

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const making = { days: text, renew: flag } as const;
const optionsOf = {
  init: making,
  agent: { ...making, also: { type: 'string', multiple: true } },
  controller: { ...making, uri: text },
  list: { within: text },
} as const;
type Task = keyof typeof optionsOf;

const isTask = (word: string | undefined): word is Task => word !== undefined && Object.hasOwn(optionsOf, word);

/** Reads what follows `dimmer pki`; the problem is one line that names the argument. */
export function readPkiArguments(argv: readonly string[]): ReadPkiArguments {
  const [task, ...rest] = argv;
  if (task === '--help' || task === '-h') return { kind: 'help' };
  if (!isTask(task)) return { kind: 'bad-usage', problem: `takes one of ${Object.keys(optionsOf).join(', ')}` };
  const read = readArguments(rest, { ...optionsOf[task], dir: text, help: flag }, true);
  if (!read.ok) return { kind: 'bad-usage', problem: read.problem };
  const { values, positionals } = read;
  if (values['help'] === true) return { kind: 'help' };
  const given = (name: string): string | null => (typeof values[name] === 'string' ? values[name] : null);
  return catchMistake((): ReadPkiArguments => {
    const directory = given('dir') ?? 'pki';
    const renew = values['renew'] === true;
    const days = (otherwise: number): number => readDays('days', given('days'), otherwise);
    const argument = (name: string | null): string | null => {
      const [first, ...others] = positionals;
      if (others.length > 0 || (name === null && first !== undefined)) {
        throw new Mistake(`${task} takes ${name === null ? 'no arguments' : `one ${name}`}`);
      }
      return first ?? null;
    };
    switch (task) {
      case 'init': {
        const trustDomain = argument('TRUST-DOMAIN');
        if (trustDomain === null && !renew) throw new Mistake('init: TRUST-DOMAIN is missing');
        if (trustDomain !== null && !isTrustDomain(trustDomain)) {
          throw new Mistake(`'${trustDomain}' is not a trust domain: small letters, digits, '.', '-' and '_'`);
        }
        return { kind: 'run', options: { task, directory, renew, days: days(3650), trustDomain } };
      }
      case 'agent': {
        const name = argument('NAME');
        if (name === null) throw new Mistake('agent: NAME is missing');
        const also = Array.isArray(values['also']) ? values['also'].map((value) => readName(String(value))) : [];
        return { kind: 'run', options: { task, directory, renew, days: days(365), name: readName(name), also } };
      }
      case 'controller': {
        argument(null);
        const uri = given('uri');
        return {
          kind: 'run',
          options: { task, directory, renew, days: days(365), uri: uri === null ? null : readUri(uri) },
        };
      }
      case 'list':
        argument(null);
        return { kind: 'run', options: { task, directory, within: readDays('within', given('within'), 30) } };
      default:
        return task satisfies never;
    }
  });
}

function readName(value: string): CertificateName {
  const name = readHostName(value);
  if (name === null) throw new Mistake(`'${value}' is not a host's name or IP address`);
  return name;
}

function readUri(value: string): CertificateName {
  const name = readSpiffeId(value);
  if (name === null) throw new Mistake(`--uri: '${value}' is not spiffe://TRUST-DOMAIN/PATH`);
  return name;
}

/** At most what fits into a certificate's four digits for a year. */
function readDays(option: string, value: string | null, otherwise: number): number {
  const days = value === null ? otherwise : Number(value);
  if (!Number.isInteger(days) || days < 1 || days > 36_500) {
    throw new Mistake(`--${option}: '${value ?? ''}' is not a number of days from 1 to 36500`);
  }
  return days;
}
