/** JSON schemas of what the agent answers, for the API's document. The compiler holds their members to the port's. */
import { type HostErrorCode, hostErrorTable, problemTypePrefix } from '../../host/errors.ts';
import type {
  DomainObservation,
  DomainState,
  DomainSummary,
  GuestStatistics,
  HostFacts,
  HostNode,
  HugepagePool,
  MemoryLayout,
  ObservedModule,
  PlugAnswer,
  UnplugAnswer,
} from '../../host/port.ts';
import type { NodeMemory } from '../../memory/module.ts';
import type { Claim, Replacement } from '../../memory/operation-state.ts';

/** A JSON schema (draft 2020-12, as OpenAPI 3.1 has it). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** An object with all of these members. Clients pass over others, which a newer agent may send. */
const record = <T>(members: Readonly<Record<keyof T & string, JsonSchema>>, description?: string): JsonSchema => ({
  type: 'object',
  ...(description === undefined ? {} : { description }),
  required: Object.keys(members),
  properties: members,
});
const list = (items: JsonSchema, description?: string): JsonSchema => ({
  type: 'array',
  ...(description === undefined ? {} : { description }),
  items,
});
const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const orNull = (schema: JsonSchema, description: string): JsonSchema => ({
  description,
  anyOf: [schema, { type: 'null' }],
});
/** A closed set of words; the record makes the compiler count them. */
const oneOf = <T extends string>(words: Readonly<Record<T, true>>, description?: string): JsonSchema => ({
  type: 'string',
  ...(description === undefined ? {} : { description }),
  enum: Object.keys(words),
});

const whole = (description: string): JsonSchema => ({ type: 'integer', minimum: 0, description });
const bytes = (description: string): JsonSchema => whole(`${description}, bytes`);
const time = (description: string): JsonSchema => whole(`${description}, milliseconds since 1970 by the host's clock`);
const text = (description: string): JsonSchema => ({ type: 'string', description });
const flag = (description: string): JsonSchema => ({ type: 'boolean', description });

const uuid = text('UUID of the VM');
const state = oneOf<DomainState>(
  {
    ...{ Running: true, Blocked: true, Paused: true, ShuttingDown: true },
    ...{ ShutOff: true, Crashed: true, Suspended: true, Unknown: true },
  },
  'State of the VM, as libvirt has it',
);
const revision = text('Revision of the memory, for If-Match; the same as in ETag');

const hostNode = record<HostNode>({
  id: whole('Number of the NUMA node'),
  total: bytes('Memory of the node'),
  available: bytes('What can be allocated without swapping'),
  hugepages: list(
    record<HostNode['hugepages'][number]>({
      pageSize: bytes('Size of a page'),
      total: whole('Pages in the pool'),
      free: whole('Free pages'),
    }),
    'Pools of huge pages',
  ),
});

const host = record<HostFacts>(
  {
    agentVersion: text('Version of the agent'),
    libvirtVersion: text('Version of libvirt'),
    hypervisorVersion: text('Version of the hypervisor'),
    memory: record<HostFacts['memory']>({
      total: bytes('Memory of the host'),
      available: bytes('What can be allocated without swapping, less what is being plugged'),
      committed: bytes('Memory of all running VMs, touched or not'),
    }),
    nodes: list(hostNode),
    hugepagePools: list(
      record<HugepagePool>({
        pageSize: bytes('Size of a page'),
        reserved: whole('Free pages that are promised already'),
        onDemand: whole('Pages that the kernel may still make of ordinary memory'),
      }),
      'Huge pages of the whole host, by size',
    ),
    virtualMachines: whole('Running and defined VMs that the agent admits'),
    virtualMachinesWithoutOwner: whole('Of those the running ones that no owner element reserves for a namespace'),
  },
  'A hypervisor host',
);

const summary = record<DomainSummary>({ uuid, name: text('Name of the VM'), state });

const module = record<ObservedModule>({
  slot: whole('DIMM slot'),
  base: whole('Guest physical address of the first byte'),
  alias: text('Alias of the device; empty: libvirt shows none'),
  node: whole('Guest NUMA node'),
  size: bytes('Size of the module'),
  state: oneOf<ObservedModule['state']>({ Plugged: true, Leaving: true }, 'Leaving: the guest was asked for it'),
  mark: orNull(
    record<NonNullable<ObservedModule['mark']>>({
      generation: whole('Generation of the claim at the first request'),
      firstAskedAtMs: time('When the guest was first asked'),
      lastAskedAtMs: time('When the guest was last asked'),
      attempts: whole('How often the guest was asked'),
    }),
    'The unplug under way; null unless Leaving',
  ),
  refusedAtMs: orNull(time('When the guest refused'), 'The last refusal that this agent process heard; null: none'),
});

const layout = record<MemoryLayout>({
  boot: list(
    record<NodeMemory>({ node: whole('Guest NUMA node'), size: bytes('Memory of the node') }),
    'Boot memory by guest NUMA node',
  ),
  modules: list(ref('Module'), 'Plugged modules, ascending by slot'),
  slots: record<MemoryLayout['slots']>({
    total: whole('Slots of the VM'),
    usedByOthers: list(whole('Slot'), "Held by devices that aren't modules, or by a module that is being attached"),
    resting: list(whole('Slot'), 'Emptied a moment ago; not reused yet'),
  }),
  otherBytes: bytes('NVDIMM, virtio-mem and the like, which count against the maximum'),
  maxMemory: orNull(bytes('Maximum'), 'null: nothing can be plugged'),
  hotplugProblem: orNull(text('Why'), 'Why no module can be plugged, with the way out; null: it can'),
  balloon: bytes('What the balloon leaves the guest'),
  pageSize: orNull(bytes('Size of a page'), "The VM's own huge pages; null: ordinary pages"),
  granularity: orNull(bytes('Size of a block'), "The guest's memory block; null: not known"),
  architecture: text("libvirt's name of the guest's architecture"),
});

const guest = record<GuestStatistics>({
  total: bytes('MemTotal of the guest'),
  usable: bytes('MemAvailable of the guest'),
  free: bytes('MemFree of the guest'),
  reportedAtMs: time('When the guest reported this'),
  fresh: flag('At most 10 s old, and from the present boot'),
  ofThisBoot: flag('From the present boot; one that is and is not fresh any more is late'),
});

const claim = record<Claim>({
  clusterId: text('Identity of the cluster'),
  objectUid: text('uid of the VirtualMachineMemory'),
  namespace: text('Its namespace'),
  generation: whole('Newest generation acted for'),
});

const observation = record<DomainObservation>(
  {
    uuid,
    name: text('Name of the VM'),
    state,
    runtimeId: orNull(text('Identity'), 'Changes with every start of the VM; null: it is not running'),
    migrating: flag('A migration is under way; nothing is changed meanwhile'),
    layout: orNull(ref('Layout'), 'null: the VM is not running'),
    guest: orNull(guest, "The guest's own report; null: it never gave one"),
    booting: flag('The guest may still be booting; nothing is changed meanwhile'),
    claim: orNull(claim, 'Who acts on the VM; null: nobody'),
    replacement: orNull(
      record<Replacement>({
        slot: whole('Slot of the module that was plugged'),
        generation: whole('Generation of the claim that it belongs to'),
      }),
      'A replacement that was begun; null: none',
    ),
    ownerNamespace: orNull(
      text('Namespace'),
      "The only namespace that may claim the VM, by the host's admin; null: any",
    ),
    revision,
    observedAtMs: time('When this was observed'),
  },
  'The memory of a VM as it is now',
);

const problemCodes = (Object.keys(hostErrorTable) as HostErrorCode[]).filter(
  (code) => hostErrorTable[code].status !== null,
);

/** Members of the problem documents that the agent sends (problems.ts). */
type Problem = Record<'type' | 'title' | 'status' | 'code' | 'detail' | 'instance', unknown>;

const problem = record<Problem>(
  {
    type: { type: 'string', format: 'uri', description: `${problemTypePrefix} and the code; programs go by this` },
    title: text('What the code stands for'),
    status: { type: 'integer', minimum: 400, maximum: 599, description: 'The HTTP status' },
    code: { type: 'string', enum: problemCodes, description: 'The same code, or one of 0.1.0 that comes nearest' },
    detail: text('What happened, for people'),
    instance: { type: 'string', format: 'uri', description: 'urn:request: and the id of the request' },
  },
  'A problem document (RFC 9457)',
);

/** The document's components. */
export const answerSchemas: Readonly<Record<string, JsonSchema>> = {
  Host: host,
  DomainSummaries: record<{ domains: unknown }>({ domains: list(summary) }),
  Observations: record<{ domains: unknown }>({ domains: list(ref('Observation')) }),
  Observation: observation,
  Layout: layout,
  Module: module,
  PlugAnswer: record<PlugAnswer>({ done: flag('false: not finished yet, observe'), revision }),
  UnplugAnswer: record<UnplugAnswer>({ revision }),
  Problem: problem,
};
