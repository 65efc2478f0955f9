import { describe, expect, it } from 'vitest';
import { totalOf } from '../../../src/host/rules/total.ts';
import { memoryForNumbered, numberedDomains, uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { codeOf, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const createHost = (clock: ManualClock) =>
  createSimulatedHost({ clock, domains: numberedDomains({ first: 1, last: 4 }) });

describe('virtual machines by number', () => {
  it('are the same wherever they are asked for', () => {
    const [fourth, fifth] = numberedDomains({ first: 4, last: 5 });
    expect(fourth).toEqual(numberedDomains({ first: 1, last: 4 })[3]);
    expect(fourth).toMatchObject({ uuid: '00000000-0000-4000-8000-000000000004', name: 'using-4' });
    expect(fifth).toMatchObject({ uuid: '00000000-0000-4000-8000-000000000005', name: 'accepting-5' });
  });

  it('are as many as there are numbers, each with a uuid of its own', () => {
    const uuids = numberedDomains({ first: 9_991, last: 19_990 }).map(({ uuid }) => uuid);
    expect(new Set(uuids).size).toBe(10_000);
    for (const uuid of uuids) expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidOfNumber(999_999_999)).toBe('00000000-0000-4000-8000-000999999999');
  });

  it('find memory for the maximum of each on their host', () => {
    expect(memoryForNumbered({ first: 5, last: 7 })).toBe(3 * gib(64));
  });

  it('answer as their names say when they are asked for a module', async () => {
    const clock = new ManualClock();
    const host = createHost(clock);
    const outcomes: Record<string, string | undefined> = {};
    for (const { uuid, name, state } of valueOf(await host.listDomains())) {
      expect(state).toBe('Running');
      const { revision } = valueOf(await host.observe(uuid));
      const plugged = valueOf(await host.plug(uuid, revision, plugRequest(15, mib(512))));
      valueOf(await host.unplug(uuid, plugged.revision, unplugRequest(15)));
      await clock.advance(1_000);
      outcomes[name] = host.script.changes().at(-1)?.what;
    }
    expect(outcomes).toEqual({
      'accepting-1': 'removed',
      'refusing-2': 'refused',
      'silent-3': 'asked',
      'using-4': 'removed',
    });
  });

  it('of which one that uses its memory can spare one module, not two', async () => {
    const clock = new ManualClock();
    const host = createHost(clock);
    const uuid = uuidOfNumber(4);
    const observe = async () => valueOf(await host.observe(uuid));
    const { layout } = await observe();
    expect(layout === null ? null : totalOf(layout)).toBe(gib(4));
    const unplug = async (slot: number) => {
      const { revision } = await observe();
      return codeOf(await host.unplug(uuid, revision, unplugRequest(slot, { minUsableAfter: mib(200) })));
    };
    expect(await unplug(3)).toBe('ok');
    await clock.advance(5_000);
    expect(await unplug(2)).toBe('guest-memory-in-use');
  });
});
