/**
 * The procedures of libvirt's remote program that Dimmer calls, with the codec of each one's arguments and result.
 * Numbers and structures: libvirt's src/remote/remote_protocol.x.
 */
import type { XdrReader, XdrWriter } from './xdr.ts';

/** A domain as libvirt puts it on the wire. `id` is -1 when it isn't running. */
export type WireDomain = { readonly name: string; readonly uuid: string; readonly id: number };

/** One remote procedure. */
export type Procedure<Args, Result> = {
  /** Name without the prefix, for metrics and messages. */
  readonly name: string;
  readonly number: number;
  /**
   * True for what may take long (a queue behind the domain's job lock, preallocation of huge pages): the connection
   * never lets such calls take its last place, so that reading stays possible.
   */
  readonly slow: boolean;
  readonly encode: (writer: XdrWriter, args: Args) => void;
  readonly decode: (reader: XdrReader) => Result;
};

/** What of a libvirt error is used. */
export type RemoteError = { readonly code: number; readonly domain: number; readonly text: string };

/** A value of a virTypedParameter; hypers as bigint. */
export type TypedValue = number | bigint | boolean | string;

/** virDomainModificationImpact and virDomainMetadataType of libvirt-domain.h. */
export const affectLive = 1;
const metadataElement = 2;

export const readWireDomain = (reader: XdrReader): WireDomain => ({
  name: reader.string(),
  uuid: reader.uuid(),
  id: reader.int32(),
});

/** libvirt finds a domain by its uuid alone; name and id are only passed through. */
const writeDomain = (writer: XdrWriter, uuid: string): void => {
  writer.string('').uuid(uuid).int32(-1);
};

const nothing = (): void => undefined;
const readString = (reader: XdrReader): string => reader.string();

/** struct remote_error */
export function readRemoteError(reader: XdrReader): RemoteError {
  const code = reader.int32();
  const domain = reader.int32();
  const text = reader.optional(readString);
  reader.int32(); // level
  reader.optional(readWireDomain);
  for (let i = 0; i < 3; i++) reader.optional(readString);
  reader.int32();
  reader.int32();
  reader.optional((net) => ({ name: net.string(), uuid: net.uuid() }));
  return { code, domain, text: text ?? 'no message' };
}

function readTypedParameter(reader: XdrReader): readonly [string, TypedValue] {
  const field = reader.string();
  const type = reader.int32();
  switch (type) {
    case 1:
      return [field, reader.int32()];
    case 2:
      return [field, reader.uint32()];
    case 3:
      return [field, reader.int64()];
    case 4:
      return [field, reader.uint64()];
    case 5:
      return [field, reader.double()];
    case 6:
      return [field, reader.int32() !== 0];
    case 7:
      return [field, reader.string()];
    default:
      return reader.fail(`typed parameter '${field}' has the unknown type ${type}`);
  }
}

function procedure<Args, Result>(
  number: number,
  name: string,
  encode: (writer: XdrWriter, args: Args) => void,
  decode: (reader: XdrReader) => Result,
  options: { readonly slow: boolean } = { slow: false },
): Procedure<Args, Result> {
  return { name, number, encode, decode, slow: options.slow };
}

const slow = { slow: true };

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

/** Every domain, running or only defined. */
export const connectListAllDomains = procedure(
  273,
  'CONNECT_LIST_ALL_DOMAINS',
  (writer) => {
    writer.int32(1).uint32(0);
  },
  (reader) => {
    const domains = reader.array(maxDomains, readWireDomain);
    reader.uint32();
    return domains;
  },
);

export const domainLookupByUuid = procedure(
  24,
  'DOMAIN_LOOKUP_BY_UUID',
  (writer, args: { uuid: string }) => {
    writer.uuid(args.uuid);
  },
  readWireDomain,
);

/** The live definition of a running domain, else the stored one. */
export const domainGetXmlDesc = procedure(
  14,
  'DOMAIN_GET_XML_DESC',
  (writer, args: { uuid: string }) => {
    writeDomain(writer, args.uuid);
    writer.uint32(0);
  },
  readString,
);

export const domainGetState = procedure(
  212,
  'DOMAIN_GET_STATE',
  (writer, args: { uuid: string }) => {
    writeDomain(writer, args.uuid);
    writer.uint32(0);
  },
  (reader) => ({ state: reader.int32(), reason: reader.int32() }),
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

/** virDomainControlState: what occupies the monitor of a running domain. Never waits. */
export const domainGetControlInfo = procedure(
  229,
  'DOMAIN_GET_CONTROL_INFO',
  (writer, args: { uuid: string }) => {
    writeDomain(writer, args.uuid);
    writer.uint32(0);
  },
  (reader) => ({ state: reader.uint32(), details: reader.uint32(), stateTimeMs: reader.uint64() }),
);

export const domainSetMemoryStatsPeriod = procedure(
  308,
  'DOMAIN_SET_MEMORY_STATS_PERIOD',
  (writer, args: { uuid: string; seconds: number }) => {
    writeDomain(writer, args.uuid);
    writer.int32(args.seconds).uint32(affectLive);
  },
  nothing,
  slow,
);

export const domainGetMetadata = procedure(
  265,
  'DOMAIN_GET_METADATA',
  (writer, args: { uuid: string; namespaceUri: string }) => {
    writeDomain(writer, args.uuid);
    writer.int32(metadataElement);
    writer.optional(args.namespaceUri, (to, uri) => to.string(uri)).uint32(affectLive);
  },
  readString,
);

/** `xml` null removes the element. */
export const domainSetMetadata = procedure(
  264,
  'DOMAIN_SET_METADATA',
  (writer, args: { uuid: string; namespaceUri: string; prefix: string; xml: string | null }) => {
    writeDomain(writer, args.uuid);
    writer.int32(metadataElement);
    for (const text of [args.xml, args.prefix, args.namespaceUri])
      writer.optional(text, (to, value) => to.string(value));
    writer.uint32(affectLive);
  },
  nothing,
  slow,
);

export const domainAttachDevice = procedure(
  160,
  'DOMAIN_ATTACH_DEVICE_FLAGS',
  (writer, args: { uuid: string; xml: string }) => {
    writeDomain(writer, args.uuid);
    writer.string(args.xml).uint32(affectLive);
  },
  nothing,
  slow,
);

/** Asks the guest to give a device up. Success says only that it was asked. */
export const domainDetachDeviceAlias = procedure(
  392,
  'DOMAIN_DETACH_DEVICE_ALIAS',
  (writer, args: { uuid: string; alias: string }) => {
    writeDomain(writer, args.uuid);
    writer.string(args.alias).uint32(affectLive);
  },
  nothing,
  slow,
);

/** REMOTE_DOMAIN_JOB_STATS_MAX */
const maxJobStats = 64;

/** virDomainJobType (0: no job) and what else is known of the job. */
export const domainGetJobStats = procedure(
  298,
  'DOMAIN_GET_JOB_STATS',
  (writer, args: { uuid: string }) => {
    writeDomain(writer, args.uuid);
    writer.uint32(0);
  },
  (reader) => ({ type: reader.int32(), parameters: new Map(reader.array(maxJobStats, readTypedParameter)) }),
  slow,
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
