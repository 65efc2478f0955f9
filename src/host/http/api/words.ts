/**
 * The agent's API: what travels between it and its client, each shape once. The port's types, the client's check, the
 * routes and docs/openapi/agent-v1.json come from the files here. It only grows
 * (docs/adr/0026-what-is-not-known-is-kept.md): a member that agents of 0.1.0 don't send is read with `absentAs`. Sizes are
 * whole bytes, times epoch milliseconds. This file holds the words that the shapes are made of.
 */
import type { Bytes } from '../../../memory/bytes.ts';
import {
  boolean,
  described,
  list as listOf,
  nullable,
  object,
  oneOf,
  type Shape,
  text as anyText,
  type TextLimits,
  whole as wholeOf,
} from '../../../memory/shape.ts';

/** At most 4096 characters; only there so that rubbish ends. */
export const textOf = (limits: TextLimits = {}) => anyText({ maxLength: 4096, ...limits });
export const text = (description: string) => described(textOf(), description);
export const flag = (description: string) => described(boolean, description);
export const whole = (description: string) => described(wholeOf(), description);
export const time = (description: string) => whole(`${description}, milliseconds since 1970 by the host's clock`);
export const bytes = (description: string) => whole(`${description}, bytes`) as Shape<Bytes>;
export const orNull = <T>(shape: Shape<T>, description: string) => described(nullable(shape), description);
/** Far above what libvirt or QEMU allow (256 slots); only there so that rubbish ends. */
export const list = <T>(item: Shape<T>, description?: string) => {
  const shape = listOf(item, { maxItems: 4096 });
  return description === undefined ? shape : described(shape, description);
};
export const domainList = <T>(item: Shape<T>) => object({ domains: listOf(item, { maxItems: 100_000 }) });

export const uuid = text('UUID of the VM');
export const name = text('Name of the VM');
/** libvirt's virDomainState, in words; `Paused` VMs have a running QEMU process. */
export const state = described(
  oneOf(['Running', 'Blocked', 'Paused', 'ShuttingDown', 'ShutOff', 'Crashed', 'Suspended', 'Unknown']),
  'State of the VM, as libvirt has it',
);
/** Of events of the same prefix the one with the larger number is the later one. */
export const eventId = textOf({ maxLength: 80, pattern: '^.{1,64}-[0-9]{1,15}$' });
export const revision = text('Revision of the memory, for If-Match; the same as in ETag');
