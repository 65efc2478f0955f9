import { describe, expect, it } from 'vitest';
import { computeConditions } from '../../../src/api/v1alpha1/conditions.ts';
import { decodeHypervisorHost } from '../../../src/api/v1alpha1/decode.ts';
import { type Reason, reasonTable } from '../../../src/api/v1alpha1/reasons.ts';
import { isNamespaceAllowed, matchesSelector } from '../../../src/api/v1alpha1/selector.ts';
import { parseDurationMs, parseHostLimits, parseSpec } from '../../../src/api/v1alpha1/spec.ts';
import { gib } from '../../../src/memory/bytes.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

describe('reasons', () => {
  it.each(Object.keys(reasonTable) as Reason[])(
    '%s never says both moving and stuck, nor ready and either',
    (reason) => {
      const row = reasonTable[reason];
      expect(reason).toMatch(/^[A-Z][A-Za-z]+$/);
      expect(row.reconciling && row.stalled).toBe(false);
      if (row.ready === 'True') expect(row.reconciling || row.stalled || row.warning).toBe(false);
      // Somebody wants it to stand still.
      if (row.ready === 'False' && reason !== 'Paused') expect(row.reconciling || row.stalled).toBe(true);
    },
  );
});

describe('computeConditions', () => {
  const at = (nowMs: number) => ({ generation: 2, nowMs });
  const ready = { type: 'Ready', status: 'True', reason: 'Converged', message: 'fine' } as const;

  it('keeps the time of the last transition while the status stays', () => {
    const first = computeConditions([], [ready], at(1_000));
    const second = computeConditions(first, [{ ...ready, reason: 'ConvergedNearest' }], at(60_000));
    const third = computeConditions(second, [{ ...ready, status: 'False' }], at(120_500));
    expect(first[0]?.lastTransitionTime).toBe('1970-01-01T00:00:01Z');
    expect(second[0]).toMatchObject({ lastTransitionTime: '1970-01-01T00:00:01Z', reason: 'ConvergedNearest' });
    expect(third[0]?.lastTransitionTime).toBe('1970-01-01T00:02:00Z');
  });

  it('clips endless messages', () => {
    const [condition] = computeConditions([], [{ ...ready, message: 'x'.repeat(100_000) }], at(0));
    expect(condition?.message).toHaveLength(1024);
  });
});

describe('parseSpec', () => {
  it('fills in the defaults', () => {
    expect(parseSpec({ virtualMachine: { uuid }, memory: '2Gi' })).toEqual({
      ok: true,
      value: {
        memory: gib(2),
        shrinkPolicy: 'Exact',
        growPolicy: 'Divisible',
        rounding: 'Exact',
        guestSafety: 'Required',
        granularity: null,
        pageSize: null,
        unplugTimeoutMs: 30_000,
        driftPolicy: 'Correct',
        deletionPolicy: 'Retain',
        releaseTimeoutMs: 600_000,
        persistence: 'Live',
      },
    });
  });

  it.each([
    [{ virtualMachine: {} }, 'spec.virtualMachine'],
    [{ virtualMachine: { uuid, name: 'x' } }, 'spec.virtualMachine'],
    [{ virtualMachine: { name: 'x' } }, 'spec.hostRef'],
    [{ virtualMachine: { uuid }, memory: 'much' }, 'spec.memory'],
    [{ virtualMachine: { uuid }, memory: -1 }, 'spec.memory'],
    [{ virtualMachine: { uuid }, unplugTimeout: 'soon' }, 'spec.unplugTimeout'],
    [{ virtualMachine: { uuid }, releaseTimeout: 'later' }, 'spec.releaseTimeout'],
  ])('names the field that is wrong: %j', (spec, field) => {
    const parsed = parseSpec(spec);
    expect(parsed.ok ? 'ok' : parsed.error).toMatch(new RegExp(`^${field.replaceAll('.', '\\.')}`));
  });

  it.each([
    ['30s', 30_000],
    ['2m', 120_000],
    ['1h1m1s', 3_661_000],
    ['', null],
    ['5', null],
    ['-5s', null],
    ['1.5s', null],
  ])('reads the duration %s', (text, ms) => expect(parseDurationMs(text)).toBe(ms));
});

describe('parseHostLimits', () => {
  const spec = { address: 'https://hv:9443', allowedNamespaces: { from: 'All' } } as const;

  it('fills in the defaults', () => {
    expect(parseHostLimits(spec)).toEqual({
      ok: true,
      value: {
        ...{ memoryReserve: 0, memoryOvercommit: 1, namespaceLimit: null },
        ...{ maxConcurrentOperations: 4, cordoned: false },
      },
    });
  });

  it('names the field that is wrong', () => {
    expect(parseHostLimits({ ...spec, memoryOvercommit: '0' })).toMatchObject({ ok: false });
    expect(parseHostLimits({ ...spec, memoryReserve: 'x' })).toMatchObject({
      error: expect.stringContaining('spec.memoryReserve') as string,
    });
  });

  it('takes no limit for a namespace that it cannot read for none', () => {
    expect(parseHostLimits({ ...spec, namespaceLimit: '0' })).toMatchObject({ value: { namespaceLimit: 0 } });
    for (const namespaceLimit of ['lots', null, {}]) {
      const decoded = decodeHypervisorHost({
        metadata: { name: 'hv', uid: 'u', resourceVersion: '1' },
        spec: { ...spec, namespaceLimit },
      });
      if (!decoded.ok) throw new Error(decoded.error);
      const error = expect.stringContaining('spec.namespaceLimit') as string;
      expect(parseHostLimits(decoded.value.spec)).toMatchObject({ ok: false, error });
    }
  });
});

describe('selectors', () => {
  const labels = { tier: 'gold', team: 'a' };
  it.each([
    [{}, true],
    [{ matchLabels: { tier: 'gold' } }, true],
    [{ matchLabels: { tier: 'tin' } }, false],
    [{ matchExpressions: [{ key: 'tier', operator: 'In', values: ['gold', 'tin'] }] }, true],
    [{ matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['gold'] }] }, false],
    [{ matchExpressions: [{ key: 'other', operator: 'NotIn', values: ['gold'] }] }, true],
    [{ matchExpressions: [{ key: 'other', operator: 'In', values: ['gold'] }] }, false],
    [{ matchExpressions: [{ key: 'team', operator: 'Exists' }] }, true],
    [{ matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] }, false],
  ] as const)('%j fits: %s', (selector, fits) => {
    expect(matchesSelector(selector, labels)).toBe(fits);
    expect(isNamespaceAllowed({ from: 'Selector', selector }, labels)).toBe(fits);
  });

  it('lets all or none in', () => {
    expect(isNamespaceAllowed({ from: 'All' }, {})).toBe(true);
    expect(isNamespaceAllowed({ from: 'None' }, labels)).toBe(false);
  });
});
