/** The procedures on a connection and on all domains. Numbers and structures: libvirt's remote_protocol.x. */
import { nothing, procedure, readString, readTypedParameter, readWireDomain, writeDomain } from '../rpc/procedure.ts';

export const connectOpen = procedure(
  1,
  'CONNECT_OPEN',
  (writer, args: { uri: string }) => {
    writer.optional(args.uri, (to, uri) => to.string(uri)).uint32(0);
  },
  nothing,
);

export const connectClose = procedure(2, 'CONNECT_CLOSE', nothing, nothing);

/** Version of the hypervisor: major * 1,000,000 + minor * 1,000 + release. */
export const connectGetVersion = procedure(4, 'CONNECT_GET_VERSION', nothing, (reader) => Number(reader.uint64()));

/** Version of libvirt, in the same form. */
export const connectGetLibVersion = procedure(157, 'CONNECT_GET_LIB_VERSION', nothing, (reader) =>
  Number(reader.uint64()),
);

export const connectGetHostname = procedure(59, 'CONNECT_GET_HOSTNAME', nothing, readString);

/** Features of a driver (virDrvFeature). */
export const feature = { keepalive: 10, eventCallbacks: 14, closeCallback: 15 } as const;

export const connectSupportsFeature = procedure(
  60,
  'CONNECT_SUPPORTS_FEATURE',
  (writer, args: { feature: number }) => {
    writer.int32(args.feature);
  },
  (reader) => reader.int32() !== 0,
);

/** Ways to authenticate (enum remote_auth_type); 20 at most. */
export const authNone = 0;
export const authPolkitType = 2;
export const authList = procedure(66, 'AUTH_LIST', nothing, (reader) => reader.array(20, (item) => item.uint32()));

export const authPolkit = procedure(70, 'AUTH_POLKIT', nothing, (reader) => reader.int32());

/** REMOTE_DOMAIN_LIST_MAX */
const maxDomains = 16384;

/** virConnectListAllDomainsFlags; 0: every domain, running or only defined. */
export const listEvery = 0;
/** Those that are gone once they are shut off. */
export const listTransient = 1 << 3;

/** The domains that the flags name. */
export const connectListAllDomains = procedure(
  273,
  'CONNECT_LIST_ALL_DOMAINS',
  (writer, args: { flags: number }) => {
    writer.int32(1).uint32(args.flags);
  },
  (reader) => {
    const domains = reader.array(maxDomains, readWireDomain);
    reader.uint32();
    return domains;
  },
);

/** virDomainStatsTypes: state and balloon. */
const statsOfStateAndBalloon = 1 | 4;
/** VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT (libvirt 4.5): leaves out what would have to wait for the domain's job. */
const statsNoWait = 1 << 29;
/** REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX */
const maxDomainStats = 262_144;

/** State and balloon statistics of the domains named (none: of all), in one call that never waits. */
export const connectGetAllDomainStats = procedure(
  344,
  'CONNECT_GET_ALL_DOMAIN_STATS',
  (writer, args: { uuids: readonly string[] }) => {
    writer.uint32(args.uuids.length);
    for (const uuid of args.uuids) writeDomain(writer, uuid);
    writer.uint32(statsOfStateAndBalloon).uint32(statsNoWait);
  },
  (reader) =>
    reader.array(maxDomains, (item) => ({
      domain: readWireDomain(item),
      parameters: new Map(item.array(maxDomainStats, readTypedParameter)),
    })),
);

/** Events of one kind, of every domain. Answers with a callback id. */
export const registerEvent = procedure(
  316,
  'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY',
  (writer, args: { eventId: number }) => {
    writer.int32(args.eventId).optional<never>(null, nothing);
  },
  (reader) => reader.int32(),
);

/** Asks the daemon to say when its own connection to the hypervisor's driver ends (virtproxyd). */
export const registerCloseCallback = procedure(360, 'CONNECT_REGISTER_CLOSE_CALLBACK', nothing, nothing);
