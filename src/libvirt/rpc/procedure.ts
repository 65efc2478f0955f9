/** What a remote procedure is, and the structures that several of them share (remote_protocol.x). */
import { remoteProgram } from './frames.ts';
import type { XdrReader, XdrWriter } from './xdr.ts';

/** A domain as libvirt puts it on the wire. `id` is -1 when it isn't running. */
export type WireDomain = { readonly name: string; readonly uuid: string; readonly id: number };

/** One remote procedure. */
export type Procedure<Args, Result> = {
  /** Name without the prefix, for metrics and messages. */
  readonly name: string;
  readonly number: number;
  /** The program that it belongs to, nearly always libvirt's own. */
  readonly program: number;
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

/** struct remote_nonnull_domain */
export const readWireDomain = (reader: XdrReader): WireDomain => ({
  name: reader.string(),
  uuid: reader.uuid(),
  id: reader.int32(),
});

/** libvirt finds a domain by its uuid alone; name and id are only passed through. */
export const writeDomain = (writer: XdrWriter, uuid: string): void => {
  writer.string('').uuid(uuid).int32(-1);
};

/** No arguments, or no result. */
export const nothing = (): void => undefined;
export const readString = (reader: XdrReader): string => reader.string();

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

/** struct remote_typed_param: name and value. */
export function readTypedParameter(reader: XdrReader): readonly [string, TypedValue] {
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

/** Declares a procedure; its number and structures are those of remote_protocol.x. */
export function procedure<Args, Result>(
  number: number,
  name: string,
  encode: (writer: XdrWriter, args: Args) => void,
  decode: (reader: XdrReader) => Result,
  options: { readonly slow: boolean; readonly program?: number } = { slow: false },
): Procedure<Args, Result> {
  return { name, number, program: options.program ?? remoteProgram, encode, decode, slow: options.slow };
}

/** For {@link procedure}. */
export const slow = { slow: true };
