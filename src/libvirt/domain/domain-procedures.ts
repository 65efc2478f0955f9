/** The procedures on one domain. Numbers and structures: libvirt's remote_protocol.x. */
import {
  nothing,
  procedure,
  readString,
  readTypedParameter,
  readWireDomain,
  slow,
  writeDomain,
} from '../rpc/procedure.ts';
import type { XdrWriter } from '../rpc/xdr.ts';

/** virDomainModificationImpact and virDomainMetadataType of libvirt-domain.h. */
const affectLive = 1;
const affectConfig = 2;
const metadataElement = 2;

/** A domain, and flags of which none is set. */
const writeDomainAndNoFlags = (writer: XdrWriter, { uuid }: { readonly uuid: string }): void => {
  writeDomain(writer, uuid);
  writer.uint32(0);
};

export const domainLookupByUuid = procedure(
  24,
  'DOMAIN_LOOKUP_BY_UUID',
  (writer, args: { uuid: string }) => {
    writer.uuid(args.uuid);
  },
  readWireDomain,
);

/** The live definition of a running domain, else the stored one. */
export const domainGetXmlDesc = procedure(14, 'DOMAIN_GET_XML_DESC', writeDomainAndNoFlags, readString);

/** VIR_DOMAIN_XML_INACTIVE */
const inactive = 2;

/** The stored definition; of a transient domain, which has none, what its live one would be. */
export const domainGetInactiveXmlDesc = procedure(
  14,
  'DOMAIN_GET_XML_DESC',
  (writer, args: { uuid: string }) => {
    writeDomain(writer, args.uuid);
    writer.uint32(inactive);
  },
  readString,
);

/** Whether it has a stored definition. */
export const domainIsPersistent = procedure(
  151,
  'DOMAIN_IS_PERSISTENT',
  (writer, args: { uuid: string }) => {
    writeDomain(writer, args.uuid);
  },
  (reader) => reader.int32() !== 0,
);

export const domainGetState = procedure(212, 'DOMAIN_GET_STATE', writeDomainAndNoFlags, (reader) => ({
  state: reader.int32(),
  reason: reader.int32(),
}));

/** virDomainControlState: what occupies the monitor of a running domain. Never waits. */
export const domainGetControlInfo = procedure(229, 'DOMAIN_GET_CONTROL_INFO', writeDomainAndNoFlags, (reader) => ({
  state: reader.uint32(),
  details: reader.uint32(),
  stateTimeMs: reader.uint64(),
}));

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

/** What a change of devices affects: the running domain, or its stored definition; never both in one call (ADR 0048). */
export type Affects = 'live' | 'config';
const flagOf = (affects: Affects = 'live'): number => (affects === 'live' ? affectLive : affectConfig);

export const domainAttachDevice = procedure(
  160,
  'DOMAIN_ATTACH_DEVICE_FLAGS',
  (writer, args: { uuid: string; xml: string; affects?: Affects }) => {
    writeDomain(writer, args.uuid);
    writer.string(args.xml).uint32(flagOf(args.affects));
  },
  nothing,
  slow,
);

/** Takes the device that an XML describes out of the stored definition. */
export const domainDetachStoredDevice = procedure(
  161,
  'DOMAIN_DETACH_DEVICE_FLAGS',
  (writer, args: { uuid: string; xml: string }) => {
    writeDomain(writer, args.uuid);
    writer.string(args.xml).uint32(affectConfig);
  },
  nothing,
  slow,
);

/** Live: asks the guest to give a device up, and success says only that it was asked. */
export const domainDetachDeviceAlias = procedure(
  392,
  'DOMAIN_DETACH_DEVICE_ALIAS',
  (writer, args: { uuid: string; alias: string; affects?: Affects }) => {
    writeDomain(writer, args.uuid);
    writer.string(args.alias).uint32(flagOf(args.affects));
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
  writeDomainAndNoFlags,
  (reader) => ({ type: reader.int32(), parameters: new Map(reader.array(maxJobStats, readTypedParameter)) }),
  slow,
);
