/** Shapes against ajv: what a shape reads is what its schema, judged by somebody else, lets pass. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { domainsQuery, moduleParams, plugRequest, unplugQuery } from '../../../src/host/http/api/requests.ts';
import {
  boolean,
  closed,
  lenient,
  list,
  Mismatch,
  nullable,
  object,
  oneOf,
  optional,
  positiveNumber,
  type Shape,
  text,
  those,
  whole,
} from '../../../src/memory/shape.ts';

/** Values near the limits of each kind of shape, and any other. */
const leaves = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, '', 'a', 'ab', 'abc', 'x1', '💾💾', 'Plugged', [], {}, undefined),
  fc.constantFrom<unknown>(-1, -0, 0, 0.5, 1, 4, 5, 6, 1000, 1001, 2 ** 53 - 1, 2 ** 53, 1e300),
  fc.jsonValue({ maxDepth: 2 }),
);
const limits = fc.record({ minimum: fc.integer({ min: -2, max: 1 }), maximum: fc.integer({ min: 1, max: 6 }) });
const lengths = fc.record({ minLength: fc.nat(2), maxLength: fc.integer({ min: 2, max: 4 }) });

type Case = { readonly shape: Shape<unknown>; readonly fitting: fc.Arbitrary<unknown> };

const { shapes } = fc.letrec<{ shapes: Case; members: Record<string, Case>; scalars: Case }>((tie) => ({
  scalars: fc.oneof(
    fc.constant({ shape: boolean, fitting: fc.boolean() }),
    limits.map((given) => ({ shape: whole(given), fitting: fc.integer({ min: given.minimum, max: given.maximum }) })),
    lengths.map((given) => ({ shape: text(given), fitting: fc.string({ ...given, unit: 'grapheme' }) })),
    fc.constant({ shape: whole(), fitting: fc.maxSafeNat() }),
    fc.constant({ shape: text({ pattern: '^x[0-9]?$' }), fitting: fc.constantFrom('x', 'x1', 'y') }),
    fc.constant({ shape: positiveNumber(5), fitting: fc.double({ min: 0, max: 6, noNaN: true }) }),
    fc.constant({ shape: oneOf(['a', 'ab']), fitting: fc.constantFrom('a', 'ab') }),
  ),
  members: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'toString', '0'), tie('shapes'), { maxKeys: 3 }),
  shapes: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('scalars'),
    tie('shapes').map(({ shape, fitting }) => ({ shape: nullable(shape), fitting: fc.option(fitting) })),
    fc.tuple(tie('shapes'), fc.nat(2)).map(([{ shape, fitting }, minItems]) => ({
      shape: list(shape, { minItems, maxItems: 3 }),
      fitting: fc.array(fitting, { maxLength: 4 }),
    })),
    tie('scalars').map(({ shape, fitting }) => ({
      shape: list(shape, { maxItems: 3, uniqueItems: true }),
      fitting: fc.array(fitting, { maxLength: 3 }),
    })),
    fc.tuple(tie('members'), fc.boolean(), fc.boolean()).map(([members, isClosed, isOptional]) => {
      const entries = Object.entries(members);
      const made = entries.map(([name, { shape }]) => [name, isOptional ? optional(shape) : shape] as const);
      const fittings = entries.map(([name, { fitting }]) => [name, fitting] as const);
      return {
        shape: (isClosed ? closed : object)(Object.fromEntries(made)),
        fitting: fc.record(Object.fromEntries([...fittings, ['other', leaves]]), { requiredKeys: [] }),
      };
    }),
  ),
}));

const ajv = new Ajv2020({ strict: false });
const compile = (shape: Shape<unknown>) => ajv.compile(shape.schema);

describe('a shape', () => {
  it('reads what its schema lets pass, and nothing else', () => {
    const seen = { read: 0, refused: 0 };
    const cases = shapes.chain(({ shape, fitting }) => fc.tuple(fc.constant(shape), fc.oneof(fitting, leaves)));
    fc.assert(
      fc.property(cases, ([shape, drawn]) => {
        // JSON has no undefined, and what travels is JSON.
        const value: unknown = drawn === undefined ? undefined : JSON.parse(JSON.stringify(drawn));
        if (value === undefined) return;
        const read = shape.read(value);
        seen[read instanceof Mismatch ? 'refused' : 'read'] += 1;
        const judge = compile(shape);
        expect(!(read instanceof Mismatch)).toBe(judge(value));
        // What was read is as the schema says, too: the members that are known, and nothing lost of them.
        if (!(read instanceof Mismatch)) {
          expect(judge(read)).toBe(true);
          expect(shape.read(read)).toEqual(read);
        }
      }),
      { numRuns: 500 },
    );
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(50);
  });

  it('copies nothing that already is as it is read, and changes nothing that is given', () => {
    const part = object({ c: list(text(), { maxItems: 3 }), d: those(whole()) });
    const shape = object({ a: whole(), b: optional(part), e: lenient(text()) });
    const value = { a: 1, b: { c: ['x'], d: [1, 2] }, e: 'e' };
    expect(shape.read(value)).toBe(value);
    const spoilt = { a: 1, b: { c: ['x'], d: [1, 'no', 2] }, e: 7 };
    const before = structuredClone(spoilt);
    expect(shape.read(spoilt)).toEqual({ a: 1, b: { c: ['x'], d: [1, 2] } });
    expect(spoilt).toEqual(before);
    // Only what a member's name stands for itself counts, as JSON has it.
    const inherited = Object.assign(Object.create({ a: 2 }) as object, { b: value.b });
    const read = shape.read(inherited) as Record<string, unknown>;
    expect([Object.keys(read), read === inherited]).toEqual([['a', 'b'], false]);
  });

  it('keeps every member that it knows', () => {
    const shape = object({ a: whole(), b: optional(object({ c: list(text(), { maxItems: 3 }) })) });
    const value = { a: 1, b: { c: ['x'] } };
    expect(shape.read({ ...value, z: 1, b: { ...value.b, z: 2 } })).toEqual(value);
    expect(shape.read({ a: 1 })).toEqual({ a: 1 });
  });
});

describe('requests of the API', () => {
  const claimant = { clusterId: 'c', objectUid: 'o', namespace: 'n' };
  const plug = { ...claimant, generation: 1, slot: 0, size: 1, node: 0, hostReserve: 0, hostOvercommit: 1 };
  const requests: [string, Shape<unknown>, Record<string, unknown>][] = [
    [
      'a plug',
      plugRequest,
      { ...plug, replacesUid: 'r', pageSize: 4096, hostNodes: [0, 1], beginsReplacement: true, namespaceLimit: 4096 },
    ],
    ['an unplug', unplugQuery, { ...claimant, generation: '7', replacesUid: 'r', minUsableAfter: '0' }],
    ['a list', domainsQuery, { view: 'memory' }],
    ['a module', moduleParams, { uuid: '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11', slot: '255' }],
  ];
  it.each(requests)('%s with any member changed is judged as its schema says', (_, shape, request) => {
    const judge = compile(shape);
    expect(judge(request)).toBe(true);
    expect(shape.read(request)).not.toBeInstanceOf(Mismatch);
    const values = fc.oneof(
      leaves,
      fc.constantFrom<unknown>('01', '1 ', '16', 'A', '-a', 'a'.repeat(64), 'a'.repeat(129), '9'.repeat(15), '1\n'),
      fc.constantFrom<unknown>([0, 0], [], [1024], 255, 256, 1023, 1024, 4095, '1e3', '0x1'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(request), 'stranger'), values, (name, value) => {
        const changed: unknown = JSON.parse(JSON.stringify({ ...request, [name]: value }));
        expect(!(shape.read(changed) instanceof Mismatch), JSON.stringify(changed)).toBe(judge(changed));
      }),
      { numRuns: 1_000 },
    );
  });

  it('give numbers where a query has digits, and refuse those that no double holds', () => {
    const query = { ...claimant, generation: '7', minUsableAfter: '1073741824' };
    expect(unplugQuery.read(query)).toEqual({ ...claimant, generation: 7, minUsableAfter: 1073741824 });
    const tooLarge = unplugQuery.read({ ...query, generation: '9007199254740993' });
    expect(tooLarge).toEqual(new Mismatch('is more than 2^53-1', 'generation'));
  });
});
