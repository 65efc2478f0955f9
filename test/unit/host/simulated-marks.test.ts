/** Marks on a simulated host go on as an agent's do, also where somebody else meddles: by the same rules. */
import { expect, test } from 'vitest';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { codeOf, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const uuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

function start() {
  const clock = new ManualClock();
  const host = createSimulatedHost({
    clock,
    domains: [{ uuid, name: 'db-1', modules: [{ size: mib(512) }, { size: mib(256) }], unplugBehaviour: 'silent' }],
  });
  const observe = async () => valueOf(await host.observe(uuid));
  const ask = async (slot: number) => host.unplug(uuid, (await observe()).revision, unplugRequest(slot));
  const plug = async (slot: number) => host.plug(uuid, (await observe()).revision, plugRequest(slot, mib(128)));
  return { clock, host, observe, ask, plug };
}

test('the slot of a module that was asked for rests, whoever took it out', async () => {
  const { clock, host, observe, ask, plug } = start();
  valueOf(await ask(0));
  host.script.unplugByHand(uuid, 0);
  expect((await observe()).layout?.slots.resting).toEqual([0]);
  expect(codeOf(await plug(0))).toBe('busy');
  await clock.advance(60_000);
  expect((await observe()).layout?.slots.resting).toEqual([]);
  valueOf(await plug(0));
});

test('a guest that would have given a module up has nothing more to give once somebody else has taken it out', async () => {
  const { clock, host, observe, ask } = start();
  host.script.setUnplugBehaviour(uuid, 'all', 'accept');
  valueOf(await ask(0));
  host.script.unplugByHand(uuid, 0);
  const total = (await observe()).layout?.modules.length;
  await clock.advance(10_000);
  expect((await observe()).layout?.modules).toHaveLength(total ?? -1);
  expect(host.script.changes().map(({ what }) => what)).toEqual(['asked', 'unplugged-by-hand']);
});

test('a reset makes the guest forget what it was asked for', async () => {
  const { clock, host, observe, ask } = start();
  valueOf(await ask(0));
  await clock.advance(1_000);
  host.script.reset(uuid);
  expect((await observe()).layout?.modules.map(({ state }) => state)).toEqual(['Plugged', 'Plugged']);
});
