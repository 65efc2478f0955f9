import { describe, expect, it } from 'vitest';
import { decodeHypervisorHost, decodeNamespace, decodeVirtualMachineMemory } from '../../../src/api/v1alpha1/decode.ts';
import { rawMemory } from './support/objects.ts';

const metadata = { name: 'n', uid: 'u', resourceVersion: '1' };
const decodeWith = (fields: object) => {
  const decoded = decodeVirtualMachineMemory({ ...rawMemory('a', '1'), ...fields });
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
};
const ownerRequired = (requireOwner: unknown) => {
  const decoded = decodeHypervisorHost({ metadata, spec: { address: 'https://h', requireOwner } });
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value.spec.requireOwner;
};
const allowed = (allowedNamespaces: unknown) => {
  const decoded = decodeHypervisorHost({ metadata, spec: { address: 'https://h', allowedNamespaces } });
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value.spec.allowedNamespaces;
};

describe('decoding a resource', () => {
  it.each([
    null,
    7,
    'x',
    [[]],
    {},
    { metadata: 7 },
    { metadata: { name: 'n', uid: 'u' } },
    { metadata: { ...metadata, uid: '' } },
  ])('makes nothing of %j', (raw) => {
    for (const decode of [decodeVirtualMachineMemory, decodeHypervisorHost, decodeNamespace]) {
      expect(decode(raw)).toMatchObject({ ok: false });
    }
  });

  it('names the object of which it can make nothing', () => {
    expect(decodeVirtualMachineMemory({ metadata: { name: 'db-1' } })).toEqual({
      ok: false,
      error: 'db-1: metadata without name, uid or resourceVersion',
    });
  });

  it('wants a namespace where there must be one', () => {
    expect(decodeVirtualMachineMemory({ metadata })).toMatchObject({ ok: false });
    expect(decodeNamespace({ metadata: { ...metadata, labels: { a: 'b', c: 7 } } })).toEqual({
      ok: true,
      value: { metadata: { ...metadata, generation: 0, creationTimestamp: '', labels: { a: 'b' } } },
    });
  });

  it('drops what kubectl keeps for its next apply, and no other annotation', () => {
    const lastApplied = { 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{}}' };
    const raw = rawMemory('a', '1');
    const decoded = decodeWith({ metadata: { ...raw.metadata, annotations: { ...lastApplied, 'a/b': 'c' } } });
    expect(decoded.metadata.annotations).toEqual({ 'a/b': 'c' });
  });

  it('drops managedFields', () => expect(decodeWith({}).metadata).not.toHaveProperty('managedFields'));

  it('takes a field of the wrong type for absent, so that the careful default holds', () => {
    const { spec } = decodeWith({
      spec: { virtualMachine: 7, hostRef: [], memory: {}, shrinkPolicy: 'Greedy', guestSafety: false, paused: 'no' },
    });
    expect(spec).toEqual({ virtualMachine: {} });
    expect(decodeWith({ spec: undefined }).spec).toEqual({ virtualMachine: {} });
  });

  it('keeps a quantity as it was written', () => {
    expect(decodeWith({ spec: { memory: 6442450944 } }).spec.memory).toBe(6442450944);
    expect(decodeWith({ spec: { memory: '1.5Gi' } }).spec.memory).toBe('1.5Gi');
  });
});

describe('decoding a status of another version', () => {
  it.each([null, 7, 'x', [[]]])('makes nothing of %j', (status) => {
    expect(decodeWith({ status })).not.toHaveProperty('status');
  });

  it('leaves out a part that is not whole, and keeps the rest', () => {
    const whole = { slot: 1, alias: 'a', node: 0, size: '1Gi', base: '0x0', state: 'Plugged' };
    const { status } = decodeWith({
      status: {
        observedGeneration: '4',
        conditions: [
          { type: 'Ready', status: 'Maybe' },
          'x',
          { type: 'Stalled', status: 'False', reason: 'r', message: '', lastTransitionTime: 't' },
          { type: 'acme.io/BackedUp', status: 'Maybe', severity: 'high' },
        ],
        memory: { boot: '1Gi', current: '2Gi' },
        slots: { total: 16, used: '1' },
        virtualMachine: { uuid: 'u', name: 'n', state: 'Running', color: 'red' },
        modules: [whole, { ...whole, slot: 'two' }, { ...whole, slot: 3, state: 'Sleeping' }],
        plan: { decision: 'Plug', message: 'm', steps: [{ operation: 'Plug', size: '1Gi', node: 0, slot: 1 }, {}] },
        reachable: { complete: true, ranges: [{ from: '1Gi', to: '2Gi' }] },
        hostName: 'h',
      },
    });
    expect(status).toEqual({
      conditions: [
        { type: 'Stalled', status: 'False', reason: 'r', message: '', lastTransitionTime: 't' },
        // Somebody else's, which is written back as it came.
        { type: 'acme.io/BackedUp', status: 'Maybe', severity: 'high' },
      ],
      virtualMachine: { uuid: 'u', name: 'n', state: 'Running' },
      modules: [whole],
      hostName: 'h',
    });
  });
});

describe('decoding who may use a host', () => {
  const selector = { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'c', operator: 'Exists' }] };
  it.each([
    [{ from: 'All' }, { from: 'All' }],
    [{ from: 'None' }, { from: 'None' }],
    [
      { from: 'Selector', selector },
      { from: 'Selector', selector },
    ],
    [
      { from: 'Selector', selector: {} },
      { from: 'Selector', selector: {} },
    ],
  ])('%j', (raw, expected) => expect(allowed(raw)).toEqual(expected));

  // A requirement left out would let in more namespaces than the administrator wrote.
  it.each([
    undefined,
    {},
    { from: 'Everyone' },
    { from: 'Selector' },
    { from: 'Selector', selector: [] },
    { from: 'Selector', selector: { matchLabels: { a: 7 } } },
    { from: 'Selector', selector: { matchExpressions: [{ key: 'c', operator: 'Gt', values: ['1'] }] } },
    { from: 'Selector', selector: { matchExpressions: [{ operator: 'Exists' }] } },
    { from: 'Selector', selector: { matchExpressions: 'all' } },
    { from: 'Selector', selector: { matchLabels: 'all' } },
    { from: 'Selector', selector: { matchExpressions: [{ key: 'c', operator: 'NotIn', values: ['a', 7] }] } },
    { from: 'Selector', selector: { matchExpressions: [{ key: 'c', operator: 'NotIn', values: 'a' }] } },
  ])('lets nobody in where it does not understand: %j', (raw) => expect(allowed(raw)).toEqual({ from: 'None' }));
});

describe('decoding whether a host requires owners', () => {
  it.each([
    [undefined, undefined],
    [true, true],
    [false, false],
    // What isn't understood lets nobody in.
    ['no', true],
    [null, true],
  ])('%j: %j', (raw, expected) => expect(ownerRequired(raw)).toBe(expected));
});
