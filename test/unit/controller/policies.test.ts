import { afterEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemoryStatus } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain = (spec: Partial<SimulatedDomainSpec> = {}): SimulatedDomainSpec => ({
  uuid: vmUuid,
  name: 'db-1',
  boot: gib(1),
  ...spec,
});

const takeConditions = ({ conditions: _, ...rest }: VirtualMachineMemoryStatus): VirtualMachineMemoryStatus => rest;

describe('policies', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const start = async (spec: Partial<SimulatedDomainSpec> = {}): Promise<void> => {
    bench = await createControllerBench([domain(spec)]);
  };
  const history = (): readonly string[] =>
    bench
      .host()
      .script.changes()
      .map(({ what, slot, size }) => `${what} ${slot} ${size / mib(1)}`);
  const sizes = () => bench.status().modules?.map(({ size }) => size);

  it('Divisible grows so that every multiple of the block can be reached', async () => {
    await start();
    bench.apply({ memory: '2Gi', growPolicy: 'Divisible' });
    await bench.reaches('Converged');
    expect(
      bench
        .host()
        .script.changes()
        .filter(({ what }) => what === 'plugged'),
    ).toHaveLength(4);
    expect(bench.status().reachable).toMatchObject({ ranges: [{ from: '1Gi', to: '2Gi', step: '128Mi' }] });
  });

  it('plugs on only when the guest has onlined what came before, where its free memory is short', async () => {
    // 1 GiB of boot memory, 960 MiB of it used: 64 MiB hold the memory map of 2 GiB at most, twice over.
    await start({ used: mib(960) });
    bench.apply({ memory: '6Gi', growPolicy: 'Divisible' });
    await bench.reaches('Converged');
    const plugs = bench
      .host()
      .script.changes()
      .filter(({ what }) => what === 'plugged');
    expect(plugs.length).toBeGreaterThan(2);
    // They did not all go at once.
    expect(new Set(plugs.map(({ atMs }) => atMs)).size).toBeGreaterThan(1);
  });

  it('Nearest keeps a little more than wanted, never less', async () => {
    await start({ modules: [{ size: mib(512) }, { size: mib(256) }] });
    bench.apply({ memory: '1408Mi', shrinkPolicy: 'Nearest' });
    await bench.reaches('ConvergedNearest');
    expect(sizes()).toEqual(['512Mi']);
    expect(bench.condition('Ready')?.status).toBe('True');
    expect(bench.condition('Ready')?.message).toContain('128Mi above');
  });

  it('Replace plugs first, so that the guest never has less than is wanted', async () => {
    await start({ modules: [{ size: gib(1) }] });
    bench.apply({ memory: '1536Mi', shrinkPolicy: 'Replace' });
    await bench.reaches('Converged');
    expect(history()).toEqual(['plugged 1 512', 'asked 0 1024', 'removed 0 1024']);
  });

  it('Replace takes its module out again when the guest refuses, once and for all', async () => {
    await start({ modules: [{ size: gib(1) }] });
    bench.host().script.setUnplugBehaviour(vmUuid, [0], 'refuse');
    bench.apply({ memory: '1536Mi', shrinkPolicy: 'Replace' });
    await bench.reaches('ReplaceRolledBack');
    const done = ['plugged 1 512', 'asked 0 1024', 'refused 0 1024', 'asked 1 512', 'removed 1 512'];
    expect(history()).toEqual(done);
    expect(bench.condition('Ready')?.message).toContain('taken out again');
    expect(bench.condition('Stalled')?.status).toBe('True');
    await bench.clock.advance(7_200_000);
    await bench.restart();
    await bench.clock.advance(7_200_000);
    expect(history()).toEqual(done);
    expect(bench.reason()).toBe('ReplaceRolledBack');

    bench.host().script.setUnplugBehaviour(vmUuid, [0], 'accept');
    bench.apply({}, 'vm', { 'dimmer.dev/reconcile-requested-at': 'now' });
    await bench.reaches('Converged');
    expect(bench.host().script.total(vmUuid)).toBe(mib(1536));
  });

  it('Replace leaves all where it stands when the guest refuses everything', async () => {
    await start({ modules: [{ size: gib(1) }] });
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '1536Mi', shrinkPolicy: 'Replace' });
    await bench.reaches('ReplaceRolledBack');
    expect(history().filter((what) => what.startsWith('plugged'))).toHaveLength(1);
    expect(bench.condition('Ready')?.message).toContain('stays');
    await bench.clock.advance(7_200_000);
    expect(history().filter((what) => what.startsWith('asked'))).toHaveLength(2);
    bench.apply({ memory: '2560Mi' });
    await bench.reaches('Converged');
  });

  it.each([
    ['the host is down for a while', () => bench.host().script.setReachable(false)],
    ['somebody takes our conditions away', () => bench.resources.patchStatus('tenants/vm', takeConditions)],
    ['it is paused and looked at', () => bench.apply({}, 'vm', { 'dimmer.dev/paused': 'true' })],
  ])('Replace stays called off when %s', async (_, happens) => {
    await start({ modules: [{ size: gib(1) }] });
    bench.host().script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
    bench.apply({ memory: '1536Mi', shrinkPolicy: 'Replace' });
    await bench.reaches('ReplaceRolledBack');
    expect(bench.status().replacement).toEqual({ generation: 1, phase: 'CalledOff', slot: 1 });
    const done = history();
    // The quarantine of what was refused is over by then.
    await bench.clock.advance(7_200_000);
    happens();
    await bench.clock.advance(1_000);
    bench.host().script.setReachable(true);
    bench.apply({}, 'vm', {});
    await bench.clock.advance(7_200_000);
    expect(history()).toEqual(done);
    expect(bench.reason()).toBe('ReplaceRolledBack');
    expect(bench.status().replacement).toEqual({ generation: 1, phase: 'CalledOff', slot: 1 });
  });

  it('Replace says how far it has come, and nothing more once it has', async () => {
    await start({ modules: [{ size: gib(1) }] });
    const { script } = bench.host();
    script.setUnplugBehaviour(vmUuid, [0], 'silent');
    bench.apply({ memory: '1536Mi', shrinkPolicy: 'Replace' });
    await bench.reaches('UnplugUnknown');
    expect(bench.status().replacement).toEqual({ generation: 1, phase: 'Unplugging', slot: 1 });
    script.setUnplugBehaviour(vmUuid, [0], 'refuse');
    script.setUnplugBehaviour(vmUuid, [1], 'silent');
    const phase = () => bench.status().replacement?.phase;
    await bench.clock.until('it is rolled back', () => phase() === 'RollingBack', 600_000);
    script.letGo(vmUuid, 1);
    await bench.reaches('ReplaceRolledBack');
    expect(phase()).toBe('CalledOff');
    script.setUnplugBehaviour(vmUuid, 'all', 'accept');
    bench.apply({}, 'vm', { 'dimmer.dev/reconcile-requested-at': 'now' });
    await bench.reaches('Converged');
    expect(bench.status().replacement).toBeUndefined();
  });

  it.each([0, 1, 2, 3, 4, 6])('Replace plugs once, whenever the controller dies (%d)', async (steps) => {
    await start({ modules: [{ size: gib(1) }] });
    bench.host().script.inject('plug', { kind: 'lose-answer' });
    bench.apply({ memory: '1536Mi', shrinkPolicy: 'Replace' });
    await bench.clock.advance(steps * 15);
    await bench.restart();
    await bench.reaches('Converged', 'vm', 600_000);
    expect(history().filter((what) => what.startsWith('plugged'))).toEqual(['plugged 1 512']);
    expect(sizes()).toEqual(['512Mi']);
  });
});
