/**
 * What travels between the agent and its client: the port's own types as JSON. Sizes are whole numbers of bytes, times
 * are epoch milliseconds. The client believes nothing that it hasn't decoded.
 */
import type { Bytes } from '../../memory/bytes.ts';
import type { NodeMemory } from '../../memory/module.ts';
import type { Claim, Replacement } from '../../memory/operation-state.ts';
import { array, boolean, type Decoder, nullable, object, oneOf, since, string, whole } from './decode.ts';
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
} from '../port.ts';

const size = whole as Decoder<Bytes>;
const text = string();
/** Far above what libvirt or QEMU allow (256 slots); only there so that rubbish ends. */
const many = 4096;

const state: Decoder<DomainState> = oneOf(
  'Running',
  'Blocked',
  'Paused',
  'ShuttingDown',
  'ShutOff',
  'Crashed',
  'Suspended',
  'Unknown',
);

const hostNode = object<HostNode>({
  id: whole,
  total: size,
  available: size,
  hugepages: array(object({ pageSize: size, total: whole, free: whole }), many),
});

/** `GET /v1/host` */
export const decodeHostFacts: Decoder<HostFacts> = object({
  agentVersion: text,
  libvirtVersion: text,
  hypervisorVersion: text,
  memory: object({ total: size, available: size, committed: size }),
  nodes: array(hostNode, many),
  hugepagePools: since(array(object<HugepagePool>({ pageSize: size, reserved: whole, onDemand: whole }), many), []),
  virtualMachines: whole,
  virtualMachinesWithoutOwner: since(nullable(whole), null),
});

/** `GET /v1/domains` */
export const decodeDomainList: Decoder<{ readonly domains: readonly DomainSummary[] }> = object({
  domains: array(object<DomainSummary>({ uuid: text, name: text, state }), 100_000),
});

const observedModule = object<ObservedModule>({
  slot: whole,
  base: size,
  alias: text,
  node: whole,
  size,
  state: oneOf('Plugged', 'Leaving'),
  mark: nullable(object({ generation: whole, firstAskedAtMs: whole, lastAskedAtMs: whole, attempts: whole })),
  refusedAtMs: nullable(whole),
});

const layout = object<MemoryLayout>({
  boot: array(object<NodeMemory>({ node: whole, size }), many),
  modules: array(observedModule, many),
  slots: object({ total: whole, usedByOthers: array(whole, many), resting: array(whole, many) }),
  otherBytes: size,
  maxMemory: nullable(size),
  hotplugProblem: nullable(text),
  balloon: size,
  pageSize: nullable(size),
  granularity: nullable(size),
  architecture: text,
});

const guest = object<GuestStatistics>({
  ...{ total: size, usable: size, free: size, reportedAtMs: whole, fresh: boolean },
  // An agent of 0.1.0: a guest that may only be late is waited for before anything is done unjudged.
  ofThisBoot: since(boolean, true),
});

const claim = object<Claim>({ clusterId: text, objectUid: text, namespace: text, generation: whole });

const replacement = object<Replacement>({ slot: whole, generation: whole });

/** `GET /v1/domains/{uuid}/memory` */
export const decodeObservation: Decoder<DomainObservation> = object({
  uuid: text,
  name: text,
  state,
  runtimeId: nullable(text),
  migrating: boolean,
  layout: nullable(layout),
  guest: nullable(guest),
  booting: boolean,
  claim: nullable(claim),
  replacement: nullable(replacement),
  ownerNamespace: nullable(text),
  revision: text,
  observedAtMs: whole,
});

/** `POST .../modules` */
export const decodePlugAnswer: Decoder<PlugAnswer> = object({ done: boolean, revision: text });
/** `DELETE .../modules/{slot}` */
export const decodeUnplugAnswer: Decoder<UnplugAnswer> = object({ revision: text });

/** An RFC 9457 problem document, as far as the client reads it. */
export const decodeProblem: Decoder<{ readonly type: string; readonly code: string; readonly detail: string }> = object(
  {
    type: since(text, ''),
    code: text,
    detail: text,
  },
);

/** The `data` of an event. Kinds that a newer agent may send decode as null and are passed over. */
export const decodeEventData: Decoder<{ readonly uuid: string }> = object({ uuid: text });
