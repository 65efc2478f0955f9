/** The hypervisor as the rest of Dimmer sees it: typed calls on domains, over one session. */
import { type Bytes, isBytes, KiB } from '../memory/bytes.ts';
import { isCallError } from './errors.ts';
import { type DomainRef, toDomainRef } from './events.ts';
import {
  connectGetHostname,
  connectGetLibVersion,
  connectGetVersion,
  connectListAllDomains,
  domainAttachDevice,
  domainDetachDeviceAlias,
  domainGetJobStats,
  domainGetMetadata,
  domainGetState,
  domainGetXmlDesc,
  domainLookupByUuid,
  domainMemoryStats,
  domainSetMemoryStatsPeriod,
  domainSetMetadata,
  type TypedValue,
} from './protocol.ts';
import type { ConnectionListener, EventListener, Session } from './session.ts';

export type DomainState =
  'nostate' | 'running' | 'blocked' | 'paused' | 'shutdown' | 'shutoff' | 'crashed' | 'pmsuspended' | 'unknown';

/** virDomainState, by number. */
const domainStates: readonly DomainState[] = [
  'nostate',
  'running',
  'blocked',
  'paused',
  'shutdown',
  'shutoff',
  'crashed',
  'pmsuspended',
];
/** VIR_DOMAIN_PAUSED_MIGRATION */
const pausedForMigration = 2;

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
};

/** A long job on a domain. */
export type DomainJob = 'none' | 'migration' | 'other';

/** Versions as major * 1,000,000 + minor * 1,000 + release. */
export type HypervisorInfo = {
  readonly libvirtVersion: number;
  readonly hypervisorVersion: number;
  readonly hostname: string;
};

/** Every call rejects only with a LibvirtError. Domains are named by uuid. */
export type Hypervisor = {
  readonly connected: boolean;
  start(): void;
  close(): Promise<void>;
  onEvent(listener: EventListener): () => void;
  onConnection(listener: ConnectionListener): () => void;
  info(): Promise<HypervisorInfo>;
  /** Running and defined ones. */
  listDomains(): Promise<readonly DomainRef[]>;
  /** null: there is no such domain. */
  lookup(uuid: string): Promise<DomainRef | null>;
  /** The live definition of a running domain, else the stored one. */
  domainXml(uuid: string): Promise<string>;
  domainState(uuid: string): Promise<{ readonly state: DomainState; readonly reason: number }>;
  /** What long job is under way. May wait behind the domain's job lock. */
  domainJob(uuid: string): Promise<DomainJob>;
  memoryStats(uuid: string): Promise<DomainMemoryStats>;
  /** Live only. 0 switches the statistics off. */
  setMemoryStatsPeriod(uuid: string, seconds: number): Promise<void>;
  /** The live element under a namespace, without its prefix; null: there is none. */
  getMetadata(uuid: string, namespaceUri: string): Promise<string | null>;
  /** Live only. null removes the element; that there is none is no error. */
  setMetadata(uuid: string, namespaceUri: string, prefix: string, xml: string | null): Promise<void>;
  /** Live only. */
  attachDevice(uuid: string, xml: string): Promise<void>;
  /** Live only, asynchronous: success says only that the guest was asked. */
  detachDeviceAlias(uuid: string, alias: string): Promise<void>;
};

/** For what the daemon answers from its own memory. */
const quickDeadlineMs = 10_000;
/** libvirt's job lock waits 30 s and then says so: its answer is worth waiting for. */
const jobDeadlineMs = 35_000;
/** Preallocating huge pages stopped QEMU for 20 s a 4 GiB (facts, section 8). */
const attachDeadlineMs = 120_000;

/** virDomainJobOperation: incoming and outgoing migration. */
const migrationOperations: readonly TypedValue[] = [4, 5];

const tag = { unused: 4, available: 5, balloon: 6, resident: 7, usable: 8, lastUpdate: 9 } as const;

function toMemoryStats(stats: readonly { readonly tag: number; readonly value: bigint }[]): DomainMemoryStats {
  const values = new Map(stats.map((stat) => [stat.tag, Number(stat.value)]));
  const size = (which: number): Bytes | null => {
    const value = (values.get(which) ?? NaN) * KiB;
    return isBytes(value) ? value : null;
  };
  const lastUpdate = values.get(tag.lastUpdate) ?? 0;
  return {
    available: size(tag.available),
    unused: size(tag.unused),
    usable: size(tag.usable),
    balloon: size(tag.balloon),
    resident: size(tag.resident),
    lastUpdateMs: lastUpdate > 0 ? lastUpdate * 1000 : null,
  };
}

/** A hypervisor over `session`, which it owns: `start` and `close` are the session's. */
export function createHypervisor(session: Session): Hypervisor {
  const domainState: Hypervisor['domainState'] = async (uuid) => {
    const { state, reason } = await session.call(domainGetState, { uuid }, quickDeadlineMs);
    return { state: domainStates[state] ?? 'unknown', reason };
  };

  return {
    get connected() {
      return session.connected;
    },
    start: () => session.start(),
    close: () => session.close(),
    onEvent: (listener) => session.onEvent(listener),
    onConnection: (listener) => session.onConnection(listener),

    async info() {
      const [libvirtVersion, hypervisorVersion, hostname] = await Promise.all([
        session.call(connectGetLibVersion, undefined, quickDeadlineMs),
        session.call(connectGetVersion, undefined, quickDeadlineMs),
        session.call(connectGetHostname, undefined, quickDeadlineMs),
      ]);
      return { libvirtVersion, hypervisorVersion, hostname };
    },

    async listDomains() {
      return (await session.call(connectListAllDomains, undefined, quickDeadlineMs)).map(toDomainRef);
    },

    async lookup(uuid) {
      try {
        return toDomainRef(await session.call(domainLookupByUuid, { uuid }, quickDeadlineMs));
      } catch (error) {
        if (isCallError(error, 'DomainNotFound')) return null;
        throw error;
      }
    },

    domainXml: (uuid) => session.call(domainGetXmlDesc, { uuid }, quickDeadlineMs),
    domainState,

    async domainJob(uuid) {
      try {
        const job = await session.call(domainGetJobStats, { uuid }, jobDeadlineMs);
        if (job.type === 0) return 'none';
        return migrationOperations.includes(job.parameters.get('operation') ?? 0) ? 'migration' : 'other';
      } catch (error) {
        // libvirt has no statistics of a migration on the side that receives it, and says so with the code that it
        // also has for a domain that isn't running: the state tells them apart.
        if (!isCallError(error, 'InvalidState')) throw error;
        const { state, reason } = await domainState(uuid);
        return state === 'paused' && reason === pausedForMigration ? 'migration' : 'none';
      }
    },

    async memoryStats(uuid) {
      return toMemoryStats(await session.call(domainMemoryStats, { uuid }, jobDeadlineMs));
    },

    setMemoryStatsPeriod: (uuid, seconds) => session.call(domainSetMemoryStatsPeriod, { uuid, seconds }, jobDeadlineMs),

    async getMetadata(uuid, namespaceUri) {
      try {
        return await session.call(domainGetMetadata, { uuid, namespaceUri }, quickDeadlineMs);
      } catch (error) {
        if (isCallError(error, 'MetadataNotFound')) return null;
        throw error;
      }
    },

    setMetadata: (uuid, namespaceUri, prefix, xml) =>
      session.call(domainSetMetadata, { uuid, namespaceUri, prefix, xml }, jobDeadlineMs),

    attachDevice: (uuid, xml) => session.call(domainAttachDevice, { uuid, xml }, attachDeadlineMs),
    detachDeviceAlias: (uuid, alias) => session.call(domainDetachDeviceAlias, { uuid, alias }, jobDeadlineMs),
  };
}
