/** VMs whose memory another process has to map, which has room for so many modules and never says for how many. */
import { afterEach, expect, it } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

async function start(more: Partial<SimulatedDomainSpec> = {}): Promise<void> {
  const sharedWith = { backend: 'vhost-user', regions: 8 } as const;
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1), sharedWith, ...more }]);
}
const plugged = (): readonly number[] =>
  bench
    .host()
    .script.changes()
    .map(({ size }) => size);
const message = (): string => bench.condition('Ready')?.message ?? '';
const small = (count: number) => Array.from({ length: count }, () => ({ size: mib(128) }));

it('the plan names it, with the way to fewer modules', async () => {
  await start({ modules: small(4) });
  bench.apply({ memory: '9Gi', growPolicy: 'Divisible', paused: true });
  await bench.reaches('Paused');
  expect(message()).toContain('vhost-user has to map every module and surely has room for 2 more; growPolicy Whole');
  bench.apply({ paused: false });
  await bench.reaches('Converged');
  expect(plugged()).toHaveLength(2);
});

it('Whole takes one place of it, and nothing is said where there is room', async () => {
  await start({ modules: small(5) });
  bench.apply({ memory: '9Gi', growPolicy: 'Whole', paused: true });
  await bench.reaches('Paused');
  expect(message()).not.toContain('vhost-user');
  bench.apply({ paused: false });
  await bench.reaches('Converged');
  expect(plugged()).toHaveLength(1);
});

it('that has no room: it is named, and the plug is tried again slowly until there is', async () => {
  await start({ modules: small(6) });
  bench.apply({ memory: '2Gi', growPolicy: 'Divisible' });
  await bench.reaches('HypervisorFailed');
  expect(message()).toContain('the VM has a vhost-user device, whose backend may have no room for another module');
  expect(message()).toContain('growPolicy Whole takes the fewest modules');
  const calls = bench.host().script.calls().plug;
  await bench.clock.advance(3_600_000);
  expect(bench.host().script.calls().plug - calls).toBeLessThan(15);
  bench.host().script.unplugByHand(vmUuid, 5);
  await bench.reaches('Converged');
  expect(plugged().at(-1)).toBe(mib(384));
});
