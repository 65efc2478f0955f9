/** The driver port over libvirt: what a daemon says in the agent's words, and the agent's words as calls. */
import type { DescribedModule } from '../../agent/domain/description.ts';
import type { Driver, DriverEvent, HostMemoryReading } from '../../agent/driver.ts';
import type { DomainState } from '../../host/port.ts';
import { LibvirtCallError } from '../../libvirt/domain/errors.ts';
import { readGuestBlocks } from '../../libvirt/domain/guest-agent.ts';
import type { DomainEvent } from '../../libvirt/domain/events.ts';
import type { Hypervisor, LibvirtState } from '../../libvirt/domain/hypervisor.ts';
import { askMonitorMemory, deleteDevice, deleteObject } from '../../libvirt/domain/monitor-memory.ts';
import { writeDimmXml } from '../../libvirt/xml/device.ts';
import { stateNamespace, statePrefix, writeState } from '../../libvirt/xml/operation-state.ts';
import { ownerNamespace } from '../../libvirt/xml/owner.ts';
import { leaderNamespace, leaderPrefix, writeLeader } from '../../libvirt/xml/leader.ts';
import { periodNamespace, periodPrefix, writePeriod } from '../../libvirt/xml/statistics-period.ts';
import type { UnreadState } from '../../libvirt/xml/unread-state.ts';
import type { GuestAgentWord } from '../../memory/guest-facts.ts';
import type { Leader } from '../../memory/leader.ts';
import { toDriverError } from './errors.ts';
import { readHostMemory } from './host-memory.ts';
import { XmlMemo } from './xml-memo.ts';

/** libvirt's word for a state in the port's. */
function toDomainState(state: LibvirtState): DomainState {
  switch (state) {
    case 'running':
      return 'Running';
    case 'blocked':
      return 'Blocked';
    case 'paused':
      return 'Paused';
    case 'shutdown':
      return 'ShuttingDown';
    case 'shutoff':
      return 'ShutOff';
    case 'crashed':
      return 'Crashed';
    case 'pmsuspended':
      return 'Suspended';
    case 'nostate':
    case 'unknown':
      return 'Unknown';
  }
}

/** Major, minor and release of libvirt's version numbers. */
export const formatVersion = (version: number): string =>
  `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1_000) % 1_000}.${version % 1_000}`;

/** A module of a definition, for libvirt to find it by: of those that are alike the slot says which. */
function writeDefinedDimm({ slot, base, size, node, pageSize, hostNodes }: DescribedModule): string {
  if (slot === null) throw new RangeError('a module of a definition is found by its alias or its slot');
  return writeDimmXml({
    ...{ slot, alias: null, size, node },
    ...(base === null ? {} : { base }),
    ...(pageSize === null ? {} : { pageSize }),
    ...(hostNodes === null ? {} : { hostNodes }),
  });
}

/** VIR_DOMAIN_EVENT_STARTED_BOOTED; the others (migrated, restored, from a snapshot, woken) bring memory along. */
const startedBooted = 0;

/** An event in the agent's words; null: it is none of the agent's business. */
function toDriverEvent(event: DomainEvent): DriverEvent | null {
  const { domain } = event;
  switch (event.kind) {
    case 'lifecycle':
      if (event.change === 'started') return { domain, kind: 'started', goesOn: event.detail !== startedBooted };
      return { domain, kind: event.change === 'stopped' ? 'stopped' : 'changed' };
    case 'reboot':
      return { domain, kind: 'rebooted' };
    case 'metadata':
      // The agent's own notes come by here too; only the owner is somebody else's to change.
      return event.namespaceUri === ownerNamespace ? { domain, kind: 'owner-changed' } : null;
    case 'balloon':
      return { domain, kind: 'balloon-changed' };
    case 'deviceAdded':
      // The alias arrives with QEMU's prefix for memory (facts-libvirt, pitfall 1).
      return { domain, kind: 'module-added', alias: event.alias.replace(/^mem/, '') };
    case 'deviceRemoved':
      return { domain, kind: 'module-removed', alias: event.alias };
    case 'deviceRemovalFailed':
      return { domain, kind: 'module-refused', alias: event.alias };
  }
}

/** virErrorNumber: ARGUMENT_UNSUPPORTED, which here means that there is no channel. */
const noChannel = 74;
/** AGENT_UNRESPONSIVE, AGENT_UNSYNCED, AGENT_COMMAND_TIMEOUT. */
const silentCodes: ReadonlySet<number> = new Set([86, 97, 112]);

/** The agent's two answers; a no of libvirt or of the agent is an answer, too. */
async function askMemoryBlocks(hypervisor: Hypervisor, uuid: string): Promise<GuestAgentWord> {
  try {
    const info = await hypervisor.guestAgentCommand(uuid, 'guest-get-memory-block-info');
    const blocks = readGuestBlocks(info, await hypervisor.guestAgentCommand(uuid, 'guest-get-memory-blocks'));
    return blocks === null ? { blocks, problem: 'Refused' } : { blocks, problem: null };
  } catch (error) {
    if (!(error instanceof LibvirtCallError) || !(error.class === 'Rejected' || error.class === 'Failed')) throw error;
    const problem = error.code === noChannel ? 'NoChannel' : silentCodes.has(error.code) ? 'Silent' : 'Refused';
    return { blocks: null, problem };
  }
}

/** `call`, which rejects with what the port says. */
const translated =
  <A extends readonly unknown[], T>(call: (...args: A) => Promise<T>) =>
  (...args: A): Promise<T> =>
    call(...args).catch((error: unknown) => {
      throw toDriverError(error);
    });

/** The driver on `hypervisor`, which it owns: `start` and `close` are passed on. */
export function createLibvirtDriver(
  hypervisor: Hypervisor,
  hostMemory: () => HostMemoryReading = readHostMemory,
): Driver {
  const memo = new XmlMemo();
  const storedMemo = new XmlMemo();
  return {
    name: 'libvirt',
    capabilities: { refusalEvents: true, statisticsOnDemand: true, storedDefinition: true },
    get connected() {
      return hypervisor.connected;
    },
    start: () => hypervisor.start(),
    close: () => hypervisor.close(),
    onEvent: (listener) =>
      hypervisor.onEvent((event) => {
        const told = toDriverEvent(event);
        if (told !== null) listener(told);
      }),
    onConnection: (listener) => hypervisor.onConnection(listener),

    versions: translated(async () => {
      const { libvirtVersion, hypervisorVersion } = await hypervisor.info();
      return { libvirt: formatVersion(libvirtVersion), hypervisor: formatVersion(hypervisorVersion) };
    }),
    hostMemory,

    listDomains: translated(() => hypervisor.listDomains()),
    describe: translated(async (uuid: string) => memo.read(uuid, await hypervisor.domainXml(uuid))),
    state: translated(async (uuid: string) => toDomainState((await hypervisor.domainState(uuid)).state)),
    job: translated((uuid: string) => hypervisor.domainJob(uuid)),

    statistics: translated((uuid: string) => hypervisor.memoryStats(uuid)),
    setStatisticsPeriod: translated((uuid: string, seconds: number) => hypervisor.setMemoryStatsPeriod(uuid, seconds)),
    recordStatisticsPeriod: translated((uuid: string, seconds: number | null) =>
      hypervisor.setMetadata(uuid, periodNamespace, periodPrefix, seconds === null ? null : writePeriod(seconds)),
    ),

    writeOperationState: translated(async (uuid, state, unread) => {
      // It is what `describe` read, or nothing.
      const xml = writeState(state, unread as UnreadState | undefined);
      await hypervisor.setMetadata(uuid, stateNamespace, statePrefix, xml);
    }),
    recordLeader: translated((uuid: string, leader: Leader) =>
      hypervisor.setMetadata(uuid, leaderNamespace, leaderPrefix, writeLeader(leader)),
    ),
    memoryBlocks: translated((uuid: string) => askMemoryBlocks(hypervisor, uuid)),
    attach: translated(async (uuid, module) => hypervisor.attachDevice(uuid, writeDimmXml(module))),
    detach: translated((uuid: string, alias: string) => hypervisor.detachDeviceAlias(uuid, alias)),

    describeStored: translated(async (uuid: string) => {
      const xml = await hypervisor.storedXml(uuid);
      return xml === null ? null : storedMemo.read(uuid, xml);
    }),
    storeModule: translated(async (uuid, module) => hypervisor.attachStoredDevice(uuid, writeDimmXml(module))),
    unstoreModule: translated(async (uuid, module) => {
      const { alias } = module;
      await hypervisor.detachStoredDevice(uuid, alias === null ? { xml: writeDefinedDimm(module) } : { alias });
    }),

    monitor: {
      memory: translated((uuid: string) => askMonitorMemory(hypervisor, uuid)),
      requestRemoval: translated(async (uuid: string, alias: string) => {
        const answer = await hypervisor.monitorCommand(uuid, deleteDevice(alias));
        return answer.ok || answer.error.class === 'DeviceNotFound' ? null : answer.error.description;
      }),
      deleteBackend: translated(async (uuid: string, name: string) => {
        const answer = await hypervisor.monitorCommand(uuid, deleteObject(name));
        return answer.ok ? null : answer.error.description;
      }),
    },
  };
}
