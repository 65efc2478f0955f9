/** What a resize asks of a host: the answer of a change stands for the next look, unless it may be older than what is known. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HostAnswer, hostError } from '../../../src/host/errors.ts';
import type { DomainObservation, PlugAnswer } from '../../../src/host/port.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
beforeEach(async () => {
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1) }]);
  bench.apply({ memory: '1Gi' });
  await bench.reaches('Converged');
  await bench.clock.advance(60_000);
});
afterEach(() => bench.close());

const calls = () => bench.host().script.calls();
const plugged = (): number =>
  bench
    .host()
    .script.changes()
    .filter(({ what }) => what === 'plugged').length;

/** What is asked of the host from a patch until it has all been quiet for 10 s. */
async function countResize(memory: string) {
  const before = calls();
  bench.apply({ memory });
  await bench.reaches('Converged');
  await bench.clock.advance(10_000);
  const after = calls();
  const of = (name: keyof typeof after): number => after[name] - before[name];
  return { looks: of('observe'), facts: of('facts'), changes: of('plug') + of('unplug'), lists: of('listDomains') };
}

describe('a resize asks its host', () => {
  it('to grow: for a look, the plug, and a look when the guest has said what it has', async () => {
    expect(await countResize('2Gi')).toEqual({ looks: 2, facts: expect.any(Number) as number, changes: 1, lists: 0 });
  });

  it('to shrink: for a look, the unplug, a look when the module has gone and one at what the guest says then', async () => {
    await countResize('2Gi');
    expect(await countResize('1Gi')).toMatchObject({ looks: 3, changes: 1, lists: 0 });
  });

  it('of an older agent: for one look more', async () => {
    bench.host().script.setTells(false);
    expect(await countResize('2Gi')).toMatchObject({ looks: 3, changes: 1 });
    expect(await countResize('1Gi')).toMatchObject({ looks: 4, changes: 1 });
  });

  it('what it has at most every 5 s, however many resizes there are', async () => {
    const before = calls().facts;
    const startedMs = bench.clock.now();
    for (let memory = 2; memory <= 12; memory += 1) {
      bench.apply({ memory: `${memory}Gi` });
      await bench.reaches('Converged');
    }
    const seconds = (bench.clock.now() - startedMs) / 1_000;
    expect(calls().plug).toBe(11);
    // Its own status asks, too.
    expect(calls().facts - before).toBeLessThanOrEqual(2 + seconds / 5);
  });
});

describe('the answer of a plug', () => {
  /** What the answer of the next plug is made into. */
  function answerWith(make: (answer: PlugAnswer & { readonly observation: DomainObservation }) => PlugAnswer): void {
    const host = bench.host();
    const real = host.plug.bind(host);
    host.plug = async (...args): Promise<HostAnswer<PlugAnswer>> => {
      host.plug = real;
      const answer = await real(...args);
      const observation = answer.ok ? answer.value.observation : undefined;
      return answer.ok && observation !== undefined
        ? { ok: true, value: make({ ...answer.value, observation }) }
        : answer;
    };
  }
  type Lie = (observation: DomainObservation) => Partial<DomainObservation>;
  const lies: readonly { readonly name: string; readonly lie: Lie }[] = [
    { name: 'is of another revision', lie: () => ({ revision: 'another' }) },
    { name: 'is of another VM', lie: () => ({ uuid: '00000000-0000-4000-8000-000000000001' }) },
    { name: 'is of another run', lie: () => ({ runtimeId: 'another' }) },
    { name: 'is of a VM that has stopped', lie: () => ({ layout: null }) },
    { name: 'is from before', lie: ({ observedAtMs }) => ({ observedAtMs: observedAtMs - 3_600_000 }) },
    { name: 'has no claim', lie: () => ({ claim: null }) },
    { name: 'has the claim of another', lie: ({ claim }) => ({ claim: claim && { ...claim, objectUid: 'another' } }) },
    { name: 'hasn’t the module', lie: ({ layout }) => ({ layout: layout && { ...layout, modules: [] } }) },
  ];
  it.each(lies)('that $name is no look', async ({ lie }) => {
    answerWith((answer) => ({ ...answer, observation: { ...answer.observation, ...lie(answer.observation) } }));
    expect(await countResize('2Gi')).toMatchObject({ looks: 3, changes: 1 });
    expect(bench.status().memory?.current).toBe('2Gi');
  });

  it('that is lost is none either, and nothing is plugged twice', async () => {
    bench.host().script.inject('plug', { kind: 'lose-answer' });
    expect(await countResize('2Gi')).toMatchObject({ looks: 3, changes: 1 });
    expect(plugged()).toBe(1);
  });

  it('that isn’t all that was asked for is none', async () => {
    answerWith((answer) => ({ ...answer, done: false }));
    expect(await countResize('2Gi')).toMatchObject({ looks: 3, changes: 1 });
  });

  const meanwhile = [
    {
      name: 'somebody has plugged a module',
      what: () => bench.host().script.plugByHand(vmUuid, { slot: 7, size: gib(1) }),
    },
    { name: 'the guest was reset', what: () => bench.host().script.reset(vmUuid) },
    { name: 'the VM has another owner', what: () => bench.host().script.setOwner(vmUuid, 'tenants') },
    { name: 'the stream of events broke', what: () => bench.host().script.emit({ kind: 'reset' }) },
    {
      name: 'something was heard whose place isn’t known',
      what: () => bench.host().script.emit({ kind: 'statistics', uuid: vmUuid, id: 'another-1' }),
    },
  ];
  it.each(meanwhile)('that comes late, when $name, is older than what is known', async ({ what }) => {
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 3_000 });
    bench.apply({ memory: '2Gi' });
    await bench.clock.until('it is plugged', () => plugged() === 1);
    await bench.clock.advance(1_000);
    what();
    const before = calls().observe;
    await bench.clock.advance(2_000);
    expect(calls().observe).toBeGreaterThan(before);
    await bench.reaches('Converged');
    expect(bench.status().memory?.current).toBe('2Gi');
  });

  it('that comes late, when nothing was heard of the VM since, is a look', async () => {
    bench.host().script.setOnlines(vmUuid, false);
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 3_000 });
    bench.apply({ memory: '2Gi' });
    await bench.clock.until('it is plugged', () => plugged() === 1);
    const before = calls().observe;
    await bench.clock.advance(3_100);
    expect(calls().observe).toBe(before);
    await bench.reaches('WaitingForGuest');
  });

  it('hides no event that comes after it', async () => {
    bench.host().script.setOnlines(vmUuid, false);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('WaitingForGuest');
    bench.host().script.unplugByHand(vmUuid, 0);
    await bench.clock.until('it is plugged again', () => plugged() === 2, 5_000);
  });
});

describe('what the host was last heard to have', () => {
  it('is asked for once more before anybody is told that it isn’t enough', async () => {
    const { script } = bench.host();
    script.setAvailable(gib(0));
    bench.apply({ memory: '2Gi' });
    await bench.reaches('InsufficientHostMemory');
    await bench.clock.advance(2_000);
    const before = calls().facts;
    script.setAvailable(gib(100));
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged', 'vm', 1_000);
    expect(calls().facts - before).toBe(1);
  });

  it('is asked for once more where less was left than that, and the plan says what is enough', async () => {
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    const { script } = bench.host();
    script.setAvailable(gib(0));
    const before = calls().plug;
    bench.apply({ memory: '3Gi' });
    await bench.reaches('InsufficientHostMemory');
    expect(bench.condition('Ready')?.message).toContain('but the host has only');
    expect(calls().plug - before).toBe(1);
  });

  it('is not asked for twice where the host goes on refusing', async () => {
    bench
      .host()
      .script.inject('plug', { kind: 'fail', error: hostError('insufficient-host-memory', 'on purpose') }, 100);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('InsufficientHostMemory');
    expect(calls().plug).toBe(2);
  });
});
