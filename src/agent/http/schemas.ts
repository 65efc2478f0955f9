/** JSON schemas of the agent's requests. Unknown members are refused; nothing is coerced. */

const uid = { type: 'string', minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9._:-]+$' } as const;
const bytes = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
const generation = { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } as const;
/** A whole number in a query, where everything is text. */
const digits = { type: 'string', pattern: '^(0|[1-9][0-9]{0,15})$' } as const;
/** A Kubernetes namespace (RFC 1123 label). */
const namespace = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' } as const;

const uuid = {
  type: 'string',
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
} as const;

export const domainParams = {
  type: 'object',
  properties: { uuid },
  required: ['uuid'],
} as const;

export const moduleParams = {
  type: 'object',
  properties: { uuid, slot: { type: 'string', pattern: '^(0|[1-9][0-9]{0,2})$' } },
  required: ['uuid', 'slot'],
} as const;

export const noQuery = { type: 'object', properties: {}, additionalProperties: false } as const;

export const domainsQuery = {
  type: 'object',
  properties: { view: { type: 'string', enum: ['memory'] } },
  additionalProperties: false,
} as const;

export const plugBody = {
  type: 'object',
  properties: {
    clusterId: uid,
    objectUid: uid,
    replacesUid: uid,
    namespace,
    generation,
    slot: { type: 'integer', minimum: 0, maximum: 255 },
    size: bytes,
    node: { type: 'integer', minimum: 0, maximum: 1023 },
    pageSize: { ...bytes, minimum: 4096 },
    hostNodes: {
      type: 'array',
      minItems: 1,
      maxItems: 64,
      uniqueItems: true,
      items: { type: 'integer', minimum: 0, maximum: 1023 },
    },
    beginsReplacement: { type: 'boolean' },
    hostReserve: bytes,
    hostOvercommit: { type: 'number', exclusiveMinimum: 0, maximum: 1000 },
  },
  required: [
    'clusterId',
    'objectUid',
    'namespace',
    'generation',
    'slot',
    'size',
    'node',
    'hostReserve',
    'hostOvercommit',
  ],
  additionalProperties: false,
} as const;

export const unplugQuery = {
  type: 'object',
  properties: {
    clusterId: uid,
    objectUid: uid,
    replacesUid: uid,
    namespace,
    generation: { ...digits, pattern: '^[1-9][0-9]{0,15}$' },
    minUsableAfter: digits,
  },
  required: ['clusterId', 'objectUid', 'namespace', 'generation'],
  additionalProperties: false,
} as const;
