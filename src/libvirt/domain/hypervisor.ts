/** The hypervisor as the rest of Dimmer sees it: typed calls on domains, over one session. */
import {
  type DomainMemoryStats,
  type LibvirtState,
  type DomainStatistics,
  noMemoryStats,
  readLibvirtState,
  toDomainStatistics,
} from './statistics.ts';
import { isCallError, LibvirtCallError, LibvirtProtocolError } from './errors.ts';
import { type DomainRef, toDomainRef } from './events.ts';
import {
  connectGetAllDomainStats,
  connectGetHostname,
  connectGetLibVersion,
  connectGetVersion,
  connectListAllDomains,
  listEvery,
  listTransient,
} from './connect-procedures.ts';
import {
  domainAttachDevice,
  domainDetachDeviceAlias,
  domainDetachStoredDevice,
  domainGetControlInfo,
  domainGetInactiveXmlDesc,
  domainGetJobStats,
  domainGetMetadata,
  domainGetState,
  domainGetXmlDesc,
  domainIsPersistent,
  domainLookupByUuid,
  domainSetMemoryStatsPeriod,
  domainSetMetadata,
} from './domain-procedures.ts';
import { type GuestAgentCommand, qemuDomainAgentCommand } from './guest-agent.ts';
import { type MonitorAnswer, type MonitorCommand, qemuDomainMonitorCommand, readMonitorAnswer } from './monitor.ts';
import type { TypedValue } from '../rpc/procedure.ts';
export type { DomainMemoryStats, LibvirtState, DomainStatistics } from './statistics.ts';
import type { ConnectionListener, EventListener, Session } from '../rpc/session.ts';

/** VIR_DOMAIN_PAUSED_MIGRATION: it is on its way here, or all but gone. */
const pausedForMigration = 2;
/** VIR_ERR_OPERATION_UNSUPPORTED */
const operationUnsupported = 84;

/** A long job on a domain. `busy`: something is changing the domain right now, so that the answer would have to wait. */
export type DomainJob = 'none' | 'migration' | 'other' | 'busy';

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
  /** Running ones that are gone once they are shut off. */
  listTransient(): Promise<readonly DomainRef[]>;
  /** null: there is no such domain. */
  lookup(uuid: string): Promise<DomainRef | null>;
  /** The live definition of a running domain, else the stored one. */
  domainXml(uuid: string): Promise<string>;
  /** The stored definition, also of a running domain; null: it is transient and has none. */
  storedXml(uuid: string): Promise<string | null>;
  domainState(uuid: string): Promise<{ readonly state: LibvirtState; readonly reason: number }>;
  /** What long job is under way. Hardly ever waits behind the domain's job lock: it looks first. */
  domainJob(uuid: string): Promise<DomainJob>;
  /** State and memory statistics of the domains named, or of all, in one call that never waits for a domain. */
  statistics(uuids?: readonly string[]): Promise<readonly DomainStatistics[]>;
  /** As `statistics` of one domain, but rejects with class `Busy` at once while something is changing it. */
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
  /** Puts a device into the stored definition alone. Rejects with class `InvalidState` where there is none. */
  attachStoredDevice(uuid: string, xml: string): Promise<void>;
  /** Takes a device out of the stored definition alone: by its alias, or as an XML describes it. */
  detachStoredDevice(uuid: string, device: { readonly alias: string } | { readonly xml: string }): Promise<void>;
  /** A command for QEMU itself; that QEMU refuses it is an answer. Taints the domain: see monitor.ts. */
  monitorCommand(uuid: string, command: MonitorCommand): Promise<MonitorAnswer>;
  /** A command for the agent in the guest; its answer as it came. Taints the domain: see guest-agent.ts. */
  guestAgentCommand(uuid: string, command: GuestAgentCommand): Promise<string>;
};

/** For what the daemon answers from its own memory. */
const quickDeadlineMs = 10_000;
/** libvirt's job lock waits 30 s and then says so: its answer is worth waiting for. */
const jobDeadlineMs = 35_000;
/** Preallocating huge pages stopped QEMU for 20 s a 4 GiB (facts, section 8). */
const attachDeadlineMs = 120_000;

/** Getting in step with the guest, and its answer: see guest-agent.ts. */
const agentDeadlineMs = 10_000;

/** VIR_DOMAIN_CONTROL_OCCUPIED: somebody waits for QEMU's monitor, and everybody else would wait for him. */
const controlOccupied = 2;

/** virDomainJobOperation: incoming and outgoing migration. */
const migrationOperations: readonly TypedValue[] = [4, 5];

/** What libvirt itself says after 30 s (OPERATION_TIMEOUT), said at once. */
const domainBusy = (uuid: string): LibvirtCallError =>
  new LibvirtCallError({ code: 68, domain: 0, text: `domain ${uuid} is being changed` }, 'memoryStats');

/** libvirt leaves a domain that it doesn't know out of statistics without a word. */
const domainNotFound = (uuid: string): LibvirtCallError =>
  new LibvirtCallError({ code: 42, domain: 0, text: `no domain with uuid ${uuid}` }, 'memoryStats');

/** A hypervisor over `session`, which it owns: `start` and `close` are the session's. */
export function createHypervisor(session: Session): Hypervisor {
  const domainState: Hypervisor['domainState'] = async (uuid) => {
    const { state, reason } = await session.call(domainGetState, { uuid }, quickDeadlineMs);
    return { state: readLibvirtState(state), reason };
  };

  const statistics: Hypervisor['statistics'] = async (uuids = []) => {
    const records = await session.call(connectGetAllDomainStats, { uuids }, quickDeadlineMs);
    return records.map((record) => toDomainStatistics(toDomainRef(record.domain), record.parameters));
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
      return (await session.call(connectListAllDomains, { flags: listEvery }, quickDeadlineMs)).map(toDomainRef);
    },

    async listTransient() {
      return (await session.call(connectListAllDomains, { flags: listTransient }, quickDeadlineMs)).map(toDomainRef);
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

    async storedXml(uuid) {
      const [isPersistent, xml] = await Promise.all([
        session.call(domainIsPersistent, { uuid }, quickDeadlineMs),
        session.call(domainGetInactiveXmlDesc, { uuid }, quickDeadlineMs),
      ]);
      return isPersistent ? xml : null;
    },

    domainState,

    async domainJob(uuid) {
      const { state, reason } = await domainState(uuid);
      if (state === 'paused' && reason === pausedForMigration) return 'migration';
      try {
        const { state: control } = await session.call(domainGetControlInfo, { uuid }, quickDeadlineMs);
        if (control === controlOccupied) return 'busy';
        const job = await session.call(domainGetJobStats, { uuid }, jobDeadlineMs);
        if (job.type === 0) return 'none';
        return migrationOperations.includes(job.parameters.get('operation') ?? 0) ? 'migration' : 'other';
      } catch (error) {
        // libvirt has no statistics of a migration on the side that receives it, and says so (code 84 on 9.0.0).
        if (error instanceof LibvirtCallError && error.code === operationUnsupported) return 'migration';
        if (isCallError(error, 'InvalidState')) return 'none'; // it isn't running
        throw error;
      }
    },

    statistics,

    async memoryStats(uuid) {
      const [found] = await statistics([uuid]);
      if (found === undefined) throw domainNotFound(uuid);
      if (found.memory === 'busy') throw domainBusy(uuid);
      return found.memory ?? noMemoryStats;
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
    attachStoredDevice: (uuid, xml) =>
      session.call(domainAttachDevice, { uuid, xml, affects: 'config' }, jobDeadlineMs),
    detachStoredDevice: (uuid, device) =>
      'alias' in device
        ? session.call(domainDetachDeviceAlias, { uuid, alias: device.alias, affects: 'config' }, jobDeadlineMs)
        : session.call(domainDetachStoredDevice, { uuid, xml: device.xml }, jobDeadlineMs),

    guestAgentCommand: (uuid, command) => session.call(qemuDomainAgentCommand, { uuid, command }, agentDeadlineMs),

    async monitorCommand(uuid, command) {
      const text = await session.call(qemuDomainMonitorCommand, { uuid, command }, jobDeadlineMs);
      const answer = readMonitorAnswer(text);
      if (answer !== null) return answer;
      throw new LibvirtProtocolError(
        qemuDomainMonitorCommand.name,
        true,
        `QEMU's answer is none: ${text.slice(0, 64)}`,
      );
    },
  };
}
