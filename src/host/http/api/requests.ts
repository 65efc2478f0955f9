/** What the agent is asked: members that aren't known are refused, and nothing is coerced. */
import type { Bytes } from '../../../memory/bytes.ts';
import {
  boolean,
  closed,
  list as listOf,
  mapped,
  Mismatch,
  object,
  oneOf,
  optional,
  positiveNumber,
  type Shape,
  whole as wholeOf,
} from '../../../memory/shape.ts';
import { textOf } from './words.ts';

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

const uuidPattern = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const domainUuid = textOf({ maxLength: 36, pattern: `^${uuidPattern}$` });
/** Domains that one request may name. */
export const maxNamedDomains = 32;
const namedDomains = textOf({
  maxLength: maxNamedDomains * 37 - 1,
  pattern: `^${uuidPattern}(,${uuidPattern}){0,${maxNamedDomains - 1}}$`,
});
export const domainsQuery = closed({
  view: optional(oneOf(['memory'])),
  /** Of these only, separated by commas. Agents of 0.1.0 refuse it. */
  uuids: optional(mapped(namedDomains, (text) => text.split(','))),
});
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
  /** What the running VMs of the namespace may have of the host together; absent: that isn't bounded. */
  namespaceLimit: optional(size()),
});

/** The modules that the running VM has are to be those of its stored definition. */
export const persistRequest = closed({ ...claimant, generation: wholeOf({ minimum: 1 }) });

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
