/** Machines as people have them: devices that libvirt doesn't show, of odd sizes, and guests that take no memory. */
import { afterEach, describe, expect, it } from 'vitest';
import { guestMemory } from '../../../src/host/simulated/guest.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { type Bytes, bytes, gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

async function setUp(domain: Partial<SimulatedDomainSpec> = {}) {
  bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1), ...domain }]);
  return bench.host().script;
}
const changes = () => bench.host().script.changes();
const plugs = () => changes().filter(({ what }) => what === 'plugged').length;
const modules = () => bench.host().script.domain(vmUuid).modules;
const message = () => bench.condition('Ready')?.message ?? '';

describe('a slot that only QEMU knows to be taken', () => {
  it('is passed over, and shown as taken', async () => {
    await setUp({ slotsTakenUnseen: [0] });
    bench.apply({ memory: '1536Mi', growPolicy: 'Whole' });
    await bench.reaches('Converged');
    expect(modules().map(({ slot }) => slot)).toEqual([1]);
    expect(bench.status().slots).toEqual({ total: 16, used: 2 });
    // From now on nobody tries it.
    const calls = bench.host().script.calls().plug;
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    expect(modules().map(({ slot }) => slot)).toEqual([1, 2]);
    expect(bench.host().script.calls().plug).toBe(calls + 1);
  });

  it('is found while a growth of many modules goes on', async () => {
    await setUp({ slotsTakenUnseen: [1, 3] });
    bench.apply({ memory: '2Gi', growPolicy: 'Divisible' });
    await bench.reaches('Converged');
    expect(bench.host().script.total(vmUuid)).toBe(gib(2));
    const slots = modules().map(({ slot }) => slot);
    expect([slots.includes(1), slots.includes(3)]).toEqual([false, false]);
  });

  it('is recorded where a replacement begins: it goes on with the module where that is', async () => {
    await setUp({ modules: [{ size: gib(2), slot: 1 }], slotsTakenUnseen: [0] });
    bench.apply({ memory: '2Gi', shrinkPolicy: 'Replace' });
    await bench.reaches('Converged');
    expect(modules().map(({ slot, size }) => [slot, size])).toEqual([[2, gib(1)]]);
  });

  it('is named when there is no other', async () => {
    await setUp({ slots: 2, slotsTakenUnseen: [0, 1] });
    bench.apply({ memory: '2Gi' });
    await bench.reaches('HypervisorFailed');
    expect(message()).toContain('slot 0 is busy');
  });
});

describe('a device of odd size in the region of modules', () => {
  it('is stepped over, where its place is known', async () => {
    await setUp({ others: [{ name: 'nvdimm', size: mib(50), isPlaced: true }] });
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    expect(modules().map(({ base }) => base)).toEqual([bytes(gib(4) + mib(128))]);
  });

  it('is named, and nothing stays plugged, where its place is not known', async () => {
    const script = await setUp({ others: [{ name: 'virtio-mem', size: mib(50), isPlaced: false }] });
    bench.apply({ memory: '2Gi' });
    await bench.reaches('HotplugUnsupported');
    expect(message()).toContain('in the way is virtio-mem (50Mi at no known place)');
    expect([modules(), plugs()]).toEqual([[], 1]);
    await bench.clock.advance(7_200_000);
    expect([plugs(), bench.reason()]).toEqual([1, 'HotplugUnsupported']);
    expect(script.domain(vmUuid).operations.marks.filter(({ phase }) => phase === 'leaving')).toEqual([]);
  });
});

/** A guest with 983 MiB of which it can spare `spare`, and modules of 512 MiB of which it takes no more than `onlines`. */
async function withSilent(spare: Bytes, onlines: Bytes | false, size: '1536Mi' | '2Gi' = '1536Mi') {
  const script = await setUp();
  const { total } = guestMemory(script.domain(vmUuid), bench.clock.now());
  script.setUsed(vmUuid, bytes(total - spare));
  script.setOnlines(vmUuid, onlines);
  bench.apply({ memory: '1536Mi', growPolicy: 'Whole' });
  if (size === '2Gi') {
    await bench.reaches('WaitingForGuest');
    bench.apply({ memory: '2Gi' });
  }
  await bench.reaches('GuestNotOnlined');
  return script;
}
const nothingDies = (): void => {
  const domain = bench.host().script.domain(vmUuid);
  expect(domain.used).toBeLessThanOrEqual(guestMemory(domain, bench.clock.now()).total);
};

describe('the way back from memory that a guest never took', () => {
  it('is open though the guest is short of it', async () => {
    await withSilent(mib(200), false);
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    expect(modules()).toEqual([]);
    nothingDies();
  });

  it('costs the blocks that it took, and no more', async () => {
    // It can spare 200 MiB, and 128 MiB more of the module.
    await withSilent(mib(200), mib(128));
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    expect(modules()).toEqual([]);
    nothingDies();
  });

  it('is closed when it is using those', async () => {
    await withSilent(mib(100), mib(128));
    bench.apply({ memory: '1Gi' });
    await bench.reaches('GuestMemoryInUse');
    expect(modules()).toHaveLength(1);
  });

  it('is open for two modules that say nothing, one after the other', async () => {
    await withSilent(mib(200), false, '2Gi');
    expect(modules()).toHaveLength(2);
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    expect(modules()).toEqual([]);
    nothingDies();
  });

  it.each<[string, (script: Awaited<ReturnType<typeof setUp>>) => void]>([
    ['has been reset', (script) => script.reset(vmUuid)],
    ['has an inflated balloon', (script) => script.setInflated(vmUuid, mib(20))],
    ['has another module, of which nothing is known', (s) => s.plugByHand(vmUuid, { slot: 7, size: mib(128) })],
    ['is looked after by another agent process', (script) => script.restartAgent()],
    [
      'has taken it in the end, and uses it',
      (script) => {
        script.onlineAll(vmUuid);
        script.setUsed(vmUuid, bytes(script.domain(vmUuid).used + mib(300)));
      },
    ],
  ])('is closed for a guest that %s: what it can not spare stays', async (_what, happens) => {
    const script = await withSilent(mib(200), false);
    happens(script);
    await bench.clock.advance(90_000);
    bench.apply({ memory: '1Gi' }, 'vm');
    await bench.reaches('GuestMemoryInUse');
    expect(changes().filter(({ what }) => what === 'asked')).toEqual([]);
    nothingDies();
  });

  it('takes nothing that the guest onlines between its report and the request', async () => {
    const script = await withSilent(mib(200), false);
    // Just before the agent judges: the guest has it, and uses more than it could do without.
    bench.apply({ memory: '1Gi' });
    script.onlineAll(vmUuid);
    script.setUsed(vmUuid, bytes(script.domain(vmUuid).used + mib(300)));
    await bench.reaches('GuestMemoryInUse');
    expect(changes().filter(({ what }) => what === 'asked')).toEqual([]);
    nothingDies();
  });
});
