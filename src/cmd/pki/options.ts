/** The command line of `dimmer pki`. */
import { isTrustDomain, readHostName, readSpiffeId, type CertificateName } from '../../pki/names.ts';
import { readArguments } from '../arguments.ts';
import { catchMistake, Mistake, textIn } from '../option-values.ts';

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
  if (!read.ok) return { kind: 'bad-usage', problem: read.error };
  const { values, positionals } = read.value;
  if (values['help'] === true) return { kind: 'help' };
  const given = textIn(values);
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
