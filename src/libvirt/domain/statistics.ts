/** State and memory statistics of a domain, from libvirt's named parameters. */
import { type Bytes, isBytes, KiB } from '../../memory/bytes.ts';
import type { DomainRef } from './events.ts';
import type { TypedValue } from '../rpc/procedure.ts';

export type LibvirtState =
  'nostate' | 'running' | 'blocked' | 'paused' | 'shutdown' | 'shutoff' | 'crashed' | 'pmsuspended' | 'unknown';

/** virDomainState, by number. */
const domainStates: readonly LibvirtState[] = [
  'nostate',
  'running',
  'blocked',
  'paused',
  'shutdown',
  'shutoff',
  'crashed',
  'pmsuspended',
];
/** @param state virDomainState */
export const readLibvirtState = (state: number): LibvirtState => domainStates[state] ?? 'unknown';

/** What the guest's balloon driver last said; null: it doesn't say. */
export type DomainMemoryStats = {
  /** MemTotal of the guest. */
  readonly available: Bytes | null;
  /** MemFree of the guest. */
  readonly unused: Bytes | null;
  /** MemAvailable of the guest: what can be taken without killing a process. */
  readonly usable: Bytes | null;
  /** Size of the balloon's target as it stands. */
  readonly balloon: Bytes | null;
  /** Resident memory of the QEMU process. */
  readonly resident: Bytes | null;
  /** When the guest last reported, epoch milliseconds in whole seconds; null: never. */
  readonly lastUpdateMs: number | null;
  /** All that the guest said, and when, as one text: two that differ are two reports. null: it never reported. */
  readonly report: string | null;
};

/** What is known of a guest that never reported. */
export const noMemoryStats: DomainMemoryStats = {
  available: null,
  unused: null,
  usable: null,
  balloon: null,
  resident: null,
  lastUpdateMs: null,
  report: null,
};

export type DomainStatistics = DomainRef & {
  readonly state: LibvirtState;
  readonly reason: number;
  /** null: not running. `busy`: something is changing the domain, so that QEMU could not be asked. */
  readonly memory: DomainMemoryStats | 'busy' | null;
};

type Parameters = ReadonlyMap<string, TypedValue>;

/** What libvirt and QEMU know without the guest. */
const notByGuest: readonly string[] = ['balloon.current', 'balloon.maximum', 'balloon.rss'];

/** Every figure that the guest gave, whatever its name: newer guests give more. */
const reportOf = (parameters: Parameters): string =>
  [...parameters]
    .filter(([name]) => name.startsWith('balloon.') && !notByGuest.includes(name))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

function toMemoryStats(parameters: Parameters): DomainMemoryStats {
  const size = (name: string): Bytes | null => {
    const value = Number(parameters.get(`balloon.${name}`) ?? NaN) * KiB;
    return isBytes(value) ? value : null;
  };
  const lastUpdate = Number(parameters.get('balloon.last-update') ?? 0);
  return {
    available: size('available'),
    unused: size('unused'),
    usable: size('usable'),
    balloon: size('current'),
    resident: size('rss'),
    lastUpdateMs: lastUpdate > 0 ? lastUpdate * 1000 : null,
    report: lastUpdate > 0 ? reportOf(parameters) : null,
  };
}

/** The parameters of one domain (virConnectGetAllDomainStats) as statistics; sizes there are in KiB. */
export function toDomainStatistics(domain: DomainRef, parameters: Parameters): DomainStatistics {
  const state = readLibvirtState(Number(parameters.get('state.state') ?? NaN));
  const reason = Number(parameters.get('state.reason') ?? 0);
  // The resident size comes with the statistics of every running domain, unless its job could not be had.
  const memory = domain.id === null ? null : parameters.has('balloon.rss') ? toMemoryStats(parameters) : 'busy';
  return { ...domain, state, reason, memory };
}
