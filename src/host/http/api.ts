/**
 * The agent's API: what travels between it and its client, each shape once. The port's types, the client's check, the
 * routes and docs/openapi/agent-v1.json come from here. It only grows (docs/adr/0026-what-is-not-known-is-kept.md): a
 * member that agents of 0.1.0 don't send is read with `absentAs`. Sizes are whole bytes, times epoch milliseconds.
 */
import { type Bytes, zeroBytes } from '../../memory/bytes.ts';
import { moduleStates } from '../../memory/module.ts';
import type { Claim, Replacement } from '../../memory/operation-state.ts';
import {
  absentAs,
  boolean,
  closed,
  described,
  type JsonSchema,
  list as listOf,
  mapped,
  Mismatch,
  nullable,
  object,
  oneOf,
  optional,
  positiveNumber,
  type Shape,
  text as anyText,
  type TextLimits,
  whole as wholeOf,
} from '../../memory/shape.ts';
import { type HostErrorCode, hostErrorTable, problemTypePrefix } from '../errors.ts';

/** At most 4096 characters; only there so that rubbish ends. */
const textOf = (limits: TextLimits = {}) => anyText({ maxLength: 4096, ...limits });
const text = (description: string) => described(textOf(), description);
const flag = (description: string) => described(boolean, description);
const whole = (description: string) => described(wholeOf(), description);
const time = (description: string) => whole(`${description}, milliseconds since 1970 by the host's clock`);
const bytes = (description: string) => whole(`${description}, bytes`) as Shape<Bytes>;
const orNull = <T>(shape: Shape<T>, description: string) => described(nullable(shape), description);
/** Far above what libvirt or QEMU allow (256 slots); only there so that rubbish ends. */
const list = <T>(item: Shape<T>, description?: string) => {
  const shape = listOf(item, { maxItems: 4096 });
  return description === undefined ? shape : described(shape, description);
};
const domainList = <T>(item: Shape<T>) => object({ domains: listOf(item, { maxItems: 100_000 }) });

const uuid = text('UUID of the VM');
const name = text('Name of the VM');
/** libvirt's virDomainState, in words; `Paused` VMs have a running QEMU process. */
const state = described(
  oneOf(['Running', 'Blocked', 'Paused', 'ShuttingDown', 'ShutOff', 'Crashed', 'Suspended', 'Unknown']),
  'State of the VM, as libvirt has it',
);
const revision = text('Revision of the memory, for If-Match; the same as in ETag');

const hostNode = object({
  id: whole('Number of the NUMA node'),
  total: bytes('Memory of the node'),
  available: bytes('What can be allocated without swapping'),
  hugepages: list(
    object({ pageSize: bytes('Size of a page'), total: whole('Pages in the pool'), free: whole('Free pages') }),
    'Pools of huge pages',
  ),
});

export const hostFacts = described(
  object({
    agentVersion: text('Version of the agent'),
    libvirtVersion: text('Version of libvirt'),
    hypervisorVersion: text('Version of the hypervisor'),
    memory: object({
      total: bytes('Memory of the host'),
      available: bytes('What can be allocated without swapping, less what is being plugged'),
      committed: bytes('Memory of all running VMs, touched or not'),
    }),
    nodes: list(hostNode),
    /** None from an older agent, which knows no pages on demand. */
    hugepagePools: absentAs(
      [],
      list(
        object({
          pageSize: bytes('Size of a page'),
          /** To mappings that haven't touched them, and to modules being plugged. */
          reserved: whole('Free pages that are promised already'),
          onDemand: whole('Pages that the kernel may still make of ordinary memory'),
        }),
        'Huge pages of the whole host, by size',
      ),
    ),
    virtualMachines: whole('Running and defined VMs that the agent admits'),
    /** null: an older agent doesn't say. */
    virtualMachinesWithoutOwner: absentAs(
      null,
      whole('Of those the running ones that no owner element reserves for a namespace'),
    ),
  }),
  'A hypervisor host',
);

export const domainSummary = object({ uuid, name, state });
export const domainSummaries = domainList(domainSummary);

/** What callers learn of a mark: the rest of it is the module itself. */
const mark = object({
  generation: whole('Generation of the claim at the first request'),
  firstAskedAtMs: time('When the guest was first asked'),
  lastAskedAtMs: time('When the guest was last asked'),
  attempts: whole('How often the guest was asked'),
});

export const observedModule = object({
  slot: whole('DIMM slot'),
  base: whole('Guest physical address of the first byte') as Shape<Bytes>,
  alias: text('Alias of the device; empty: libvirt shows none'),
  node: whole('Guest NUMA node'),
  size: bytes('Size of the module'),
  state: described(oneOf(moduleStates), 'Leaving: the guest was asked for it'),
  mark: orNull(mark, 'The unplug under way; null unless Leaving'),
  /** A refusal that nobody heard is settled by asking for the same module again. */
  refusedAtMs: orNull(time('When the guest refused'), 'The last refusal that this agent process heard; null: none'),
});

export const memoryLayout = object({
  boot: list(
    object({ node: whole('Guest NUMA node'), size: bytes('Memory of the node') }),
    'Boot memory by guest NUMA node',
  ),
  modules: list(observedModule, 'Plugged modules, ascending by slot'),
  slots: object({
    total: whole('Slots of the VM'),
    usedByOthers: list(whole('Slot'), "Held by devices that aren't modules, or by a module that is being attached"),
    resting: list(whole('Slot'), 'Emptied a moment ago; not reused yet'),
    unnumbered: absentAs(0, whole('Further slots taken by devices that hold none by number')),
  }),
  /** What counts as what: docs/adr/0031. */
  otherBytes: bytes('NVDIMM, virtio-mem and the like, as far as they count against the maximum'),
  /** At most `otherBytes`. */
  otherTotal: absentAs(zeroBytes, bytes("The same devices, as far as they count in the guest's total")),
  maxMemory: orNull(bytes('Maximum'), 'null: nothing can be plugged'),
  hotplugProblem: orNull(text('Why'), 'Why no module can be plugged, with the way out; null: it can'),
  /** As libvirt's currentMemory says. */
  balloon: bytes('What the balloon leaves the guest'),
  pageSize: orNull(bytes('Size of a page'), "The VM's own huge pages, of its first node; null: ordinary pages"),
  /** None from an older agent, which knows of `pageSize` only. */
  backings: absentAs(
    [],
    list(
      object({
        nodes: list(whole('Guest NUMA node')),
        pageSize: orNull(bytes('Size of a page'), 'Huge pages; null: ordinary pages'),
        /** And stands still meanwhile. */
        preallocated: flag('QEMU touches all of a module when it is plugged'),
        hostNodes: orNull(list(whole('Host NUMA node')), 'Where the memory must come from; null: anywhere'),
      }),
      'What stands behind new modules, by guest node; every node is in one group',
    ),
  ),
  hardLimit: absentAs(
    null,
    orNull(bytes('Limit'), 'What QEMU may use before its control group ends it; null: no limit is known'),
  ),
  pinned: absentAs(false, flag('A device has all of the memory pinned: huge pages count against that limit, too')),
  sharedWith: absentAs(
    null,
    orNull(
      object({
        backend: text('Kind of device'),
        left: whole('Modules that it surely has room for besides those it has'),
      }),
      'Another process that maps every module; null: none',
    ),
  ),
  /** null: the planner's default for the architecture. */
  granularity: orNull(bytes('Size of a block'), "The guest's memory block; null: not known"),
  architecture: text("libvirt's name of the guest's architecture"),
});

/** From virtio-balloon statistics. */
export const guestStatistics = object({
  total: bytes('MemTotal of the guest'),
  usable: bytes('MemAvailable of the guest'),
  free: bytes('MemFree of the guest'),
  reportedAtMs: time('When the guest reported this'),
  fresh: flag('At most 10 s old, and from the present boot'),
  /** An agent of 0.1.0: a guest that may only be late is waited for before anything is done unjudged. */
  ofThisBoot: absentAs(true, flag('From the present boot; one that is and is not fresh any more is late')),
  /** It costs the guest no more than this when modules go. null: all of it counts as taken. */
  takenOfModules: absentAs(
    null,
    orNull(
      bytes('Memory in whole blocks'),
      'What the guest has taken of all modules together; null: not known for certain',
    ),
  ),
});

const claim: Shape<Claim> = object({
  clusterId: text('Identity of the cluster'),
  objectUid: text('uid of the VirtualMachineMemory'),
  namespace: text('Its namespace'),
  generation: whole('Newest generation acted for'),
});

const replacement: Shape<Replacement> = object({
  slot: whole('Slot of the module that was plugged'),
  generation: whole('Generation of the claim that it belongs to'),
});

export const domainObservation = described(
  object({
    uuid,
    name,
    state,
    runtimeId: orNull(text('Identity'), 'Changes with every start of the VM; null: it is not running'),
    migrating: flag('A migration is under way; nothing is changed meanwhile'),
    layout: orNull(memoryLayout, 'null: the VM is not running'),
    guest: orNull(guestStatistics, "The guest's own report; null: it never gave one"),
    /** No statistics since the guest booted, and booted (or first seen) less than 60 s ago. */
    booting: flag('The guest may still be booting; nothing is changed meanwhile'),
    claim: orNull(claim, 'Who acts on the VM; null: nobody'),
    replacement: orNull(replacement, 'A replacement that was begun; null: none'),
    ownerNamespace: orNull(
      text('Namespace'),
      "The only namespace that may claim the VM, by the host's admin; null: any",
    ),
    /** Hash of the running domain's id, its modules and the marks. */
    revision,
    /** Marks and statistics go by the same clock. */
    observedAtMs: time('When this was observed'),
  }),
  'The memory of a VM as it is now',
);
export const domainObservations = domainList(domainObservation);

/** `revision` is what the next change of the same plan is guarded by. */
export const plugAnswer = object({
  done: flag('false: not finished yet, or not as asked for (another slot was taken); observe'),
  revision,
});
/** The guest was asked; that means nothing yet. */
export const unplugAnswer = object({ revision });
/** Nobody acts on the VM any more. */
export const releaseAnswer = object({ revision });

/** The `data` of an event. */
export const eventData = object({ uuid });

const problemCodes = (Object.keys(hostErrorTable) as HostErrorCode[]).filter(
  (code) => hostErrorTable[code].status !== null,
);
/** What the client reads more freely than agents of today write: `code` and `type` may be those of a newer one. */
const written = <T>(shape: Shape<T>, schema: JsonSchema): Shape<T> => ({ ...shape, schema });

export const problem = described(
  object({
    type: written(absentAs('', textOf()), {
      ...{ type: 'string', format: 'uri', description: `${problemTypePrefix} and the code; programs go by this` },
    }),
    title: absentAs('', text('What the code stands for')),
    status: written(absentAs(0, wholeOf()), {
      ...{ type: 'integer', minimum: 400, maximum: 599, description: 'The HTTP status' },
    }),
    code: written(textOf(), {
      ...{ type: 'string', enum: problemCodes },
      description: 'The same code, or one of 0.1.0 that comes nearest',
    }),
    detail: text('What happened, for people'),
    instance: written(absentAs('', textOf()), {
      ...{ type: 'string', format: 'uri', description: 'urn:request: and the id of the request' },
    }),
  }),
  'A problem document (RFC 9457)',
);

// Requests: members that aren't known are refused, and nothing is coerced.

/** Header of changes and of the stream of events: the leader that asks (memory/leader.ts); agents of 0.1.0 pass it over. */
export const leaderHeader = 'dimmer-leader';
/** Header of `not-leader`: the newest epoch that the agent knows of the same election. */
export const newestEpochHeader = 'dimmer-newest-epoch';

/** What `not-leader` says beside its document; undefined: nothing. */
export function readNewestEpoch(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^[1-9][0-9]{0,15}$/.test(header) ? Number(header) : undefined;
}

const uid = textOf({ minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9._:-]+$' });
const size = (minimum = 0) => wholeOf({ minimum }) as Shape<Bytes>;
const slotNumber = wholeOf({ maximum: 255 });
const nodeNumber = wholeOf({ maximum: 1023 });
/** A whole number in a query or a path, where everything is text. */
const digits = (pattern: string): Shape<number> =>
  mapped(textOf({ maxLength: 16, pattern }), (value) =>
    Number.isSafeInteger(Number(value)) ? Number(value) : new Mismatch('is more than 2^53-1'),
  );

/** Who asks for a change; see Claim in memory/operation-state.ts. */
const claimant = {
  clusterId: uid,
  objectUid: uid,
  /** uid of the resource of the same cluster whose claim this one takes over: it is gone, or not the owner any more. */
  replacesUid: optional(uid),
  /** RFC 1123 label. */
  namespace: textOf({ maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' }),
};

export const noQuery = closed({});
export const domainsQuery = closed({ view: optional(oneOf(['memory'])) });

const domainUuid = textOf({ maxLength: 36, pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' });
export const domainParams = object({ uuid: domainUuid });
export const moduleParams = object({ uuid: domainUuid, slot: digits('^(0|[1-9][0-9]{0,2})$') });

export const plugRequest = closed({
  ...claimant,
  generation: wholeOf({ minimum: 1 }),
  slot: slotNumber,
  size: size(),
  /** Guest NUMA node. */
  node: nodeNumber,
  pageSize: optional(size(4096)),
  hostNodes: optional(listOf(nodeNumber, { minItems: 1, maxItems: 64, uniqueItems: true })),
  /** True: this module begins a replacement; recorded with the VM before it is plugged. */
  beginsReplacement: optional(boolean),
  /** Available host memory that must remain after the plug. */
  hostReserve: size(),
  /** Committed guest memory may reach (total - hostReserve) times this. */
  hostOvercommit: positiveNumber(1000),
});

export const releaseQuery = closed({
  clusterId: claimant.clusterId,
  objectUid: claimant.objectUid,
  namespace: claimant.namespace,
  generation: digits('^[1-9][0-9]{0,15}$'),
});

export const unplugQuery = closed({
  ...claimant,
  generation: digits('^[1-9][0-9]{0,15}$'),
  /** What the guest must have left when the module is gone; absent: not judged. */
  minUsableAfter: optional(digits('^(0|[1-9][0-9]{0,15})$') as Shape<Bytes>),
});
