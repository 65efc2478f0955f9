/** Domain events: which ones are asked for, and their payloads (remote_protocol.x). */
import { type Bytes, isBytes, KiB } from '../../memory/bytes.ts';
import { readString, readWireDomain } from '../rpc/procedure.ts';
import type { XdrReader } from '../rpc/xdr.ts';

/** A domain by the names that libvirt gives it; `id` is null when it isn't running. */
export type DomainRef = { readonly uuid: string; readonly name: string; readonly id: number | null };

/** virDomainEventType */
export type LifecycleChange =
  | 'defined'
  | 'undefined'
  | 'started'
  | 'suspended'
  | 'resumed'
  | 'stopped'
  | 'shutdown'
  | 'pmSuspended'
  | 'crashed'
  /** Something a newer libvirt knows. */
  | 'other';

/** What happened to a domain. Device events are hints: an `added` carries `mem` before the alias. Re-read the XML. */
export type DomainEvent = { readonly domain: DomainRef } & (
  | { readonly kind: 'lifecycle'; readonly change: LifecycleChange; readonly detail: number }
  | { readonly kind: 'reboot' }
  | { readonly kind: 'balloon'; readonly actual: Bytes }
  /** null: it concerns title or description. */
  | { readonly kind: 'metadata'; readonly namespaceUri: string | null }
  | { readonly kind: 'deviceRemoved' | 'deviceAdded' | 'deviceRemovalFailed'; readonly alias: string }
);

const lifecycleChanges: readonly LifecycleChange[] = [
  'defined',
  'undefined',
  'started',
  'suspended',
  'resumed',
  'stopped',
  'shutdown',
  'pmSuspended',
  'crashed',
];

type EventCodec = {
  /** virDomainEventID, to register with. */
  readonly id: number;
  /** Procedure of the message. */
  readonly procedure: number;
  readonly decode: (reader: XdrReader, domain: DomainRef) => DomainEvent;
};

const deviceEvent =
  (kind: 'deviceRemoved' | 'deviceAdded' | 'deviceRemovalFailed') =>
  (reader: XdrReader, domain: DomainRef): DomainEvent => ({ kind, domain, alias: reader.string() });

/** The events Dimmer registers for. */
export const eventCodecs: readonly EventCodec[] = [
  {
    id: 0,
    procedure: 318,
    decode: (reader, domain) => ({
      kind: 'lifecycle',
      domain,
      change: lifecycleChanges[reader.int32()] ?? 'other',
      detail: reader.int32(),
    }),
  },
  { id: 1, procedure: 319, decode: (_reader, domain) => ({ kind: 'reboot', domain }) },
  {
    id: 13,
    procedure: 331,
    decode: (reader, domain) => {
      const actual = Number(reader.uint64()) * KiB;
      if (!isBytes(actual)) return reader.fail('balloon size is above 2^53-1 bytes');
      return { kind: 'balloon', domain, actual };
    },
  },
  { id: 15, procedure: 333, decode: deviceEvent('deviceRemoved') },
  { id: 19, procedure: 354, decode: deviceEvent('deviceAdded') },
  { id: 22, procedure: 367, decode: deviceEvent('deviceRemovalFailed') },
  {
    id: 23,
    procedure: 379,
    decode: (reader, domain) => {
      reader.int32(); // virDomainMetadataType
      return { kind: 'metadata', domain, namespaceUri: reader.optional(readString) };
    },
  },
];

/** Message of procedure 362: the daemon lost its own connection to the driver. */
export const connectionClosedProcedure = 362;

const codecByProcedure = new Map(eventCodecs.map((codec) => [codec.procedure, codec]));

/** @param domain as libvirt puts it on the wire, with id -1 for a domain that isn't running */
export const toDomainRef = (domain: { uuid: string; name: string; id: number }): DomainRef => ({
  uuid: domain.uuid,
  name: domain.name,
  id: domain.id < 0 ? null : domain.id,
});

/**
 * The event that a message carries; null when it is none that was asked for.
 * @throws XdrError when the payload isn't what its procedure says
 */
export function decodeEvent(procedure: number, reader: XdrReader): DomainEvent | null {
  const codec = codecByProcedure.get(procedure);
  if (codec === undefined) return null;
  reader.int32(); // callback id
  const event = codec.decode(reader, toDomainRef(readWireDomain(reader)));
  reader.end();
  return event;
}
