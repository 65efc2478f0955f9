import { describe, expect, it } from 'vitest';
import { computeResize, type Resize } from '../../../src/controllers/memory/resize.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';

const nowMs = Date.parse('2026-01-01T00:01:00Z');
const shrunk: Resize = {
  from: '1Gi',
  to: '512Mi',
  startTime: '2026-01-01T00:00:58Z',
  completionTime: '2026-01-01T00:00:59Z',
  guestTotalBefore: '900Mi',
};
const input = { target: gib(1), nowMs, previous: undefined };

describe('the baseline of a resize', () => {
  it('is what the guest reported', () => {
    const guest = { total: mib(400), reportedAtMs: nowMs - 1_000 };
    const resize = computeResize({ ...input, before: { current: mib(512), guest } });
    expect(resize).toEqual({
      from: '512Mi',
      to: '1Gi',
      startTime: '2026-01-01T00:01:00.000Z',
      guestTotalBefore: '400Mi',
    });
  });

  it('is not a report from before the last resize ended', () => {
    // 900 MiB is what the guest had before it gave 512 MiB back, a second ago.
    const guest = { total: mib(900), reportedAtMs: nowMs - 1_500 };
    const resize = computeResize({ ...input, previous: shrunk, before: { current: mib(512), guest } });
    expect(resize.guestTotalBefore).toBe('388Mi');
  });

  it('is unknown when the report can not be true', () => {
    const guest = { total: mib(900), reportedAtMs: nowMs };
    expect(computeResize({ ...input, before: { current: mib(512), guest } }).guestTotalBefore).toBeUndefined();
    expect(computeResize({ ...input, before: { current: mib(512), guest: null } }).guestTotalBefore).toBeUndefined();
  });

  it('stays while a resize goes on under a new target', () => {
    const open: Resize = { from: '512Mi', to: '1Gi', startTime: '2026-01-01T00:00:00Z', guestTotalBefore: '400Mi' };
    const guest = { total: mib(500), reportedAtMs: nowMs };
    const resize = computeResize({ ...input, previous: open, target: gib(2), before: { current: gib(1), guest } });
    expect(resize).toMatchObject({ from: '512Mi', to: '2Gi', guestTotalBefore: '400Mi' });
  });
});
