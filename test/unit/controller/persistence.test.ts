/** A size that survives a restart: `persistence: LiveAndConfig`, and the condition Persisted (docs/adr/0048). */
import { afterEach, describe, expect, it } from 'vitest';
import type { VirtualMachineMemorySpec } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { hostError } from '../../../src/host/errors.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

const domain = { uuid: vmUuid, name: 'db-1', boot: gib(1), maxMemory: gib(16) };
async function start(spec: Partial<VirtualMachineMemorySpec>, more: Partial<SimulatedDomainSpec> = {}) {
  bench = await createControllerBench([{ ...domain, ...more }]);
  bench.apply({ persistence: 'LiveAndConfig', ...spec });
}
const script = () => bench.host().script;
const stored = () =>
  script()
    .domain(vmUuid)
    .stored?.modules.map(({ slot, alias, size }) => [slot, alias, size]);
const persisted = () => {
  const { status, reason, message } = bench.condition('Persisted') ?? {};
  return [status, reason, message] as const;
};
const isTrue = ['True', 'AsExpected', ''] as const;
const says = (reason: string, what: string) =>
  bench.clock.until(what, () => bench.condition('Persisted')?.reason === reason, 900_000);
const resized = () => script().changes().length;

describe('LiveAndConfig', () => {
  it('writes the modules once the running VM has its size, and takes out what has left', async () => {
    await start({ memory: '4Gi' });
    await bench.reaches('Converged');
    expect(stored()).toEqual([[0, 'ua-dimmer-0', gib(3)]]);
    expect(persisted()).toEqual(isTrue);
    expect(bench.status().memory).toMatchObject({ current: '4Gi', atNextBoot: '4Gi' });
    bench.apply({ memory: '6Gi' });
    await bench.reaches('Converged');
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(stored()).toEqual([[1, 'ua-dimmer-1', gib(2)]]);
    expect(bench.status().memory).toMatchObject({ current: '3Gi', atNextBoot: '3Gi' });
    expect(script().storeWrites()).toBe(3);
  });

  it('writes nothing before that: while the guest keeps what it was asked for, the definition stays as it was', async () => {
    await start({ memory: '4Gi' });
    await bench.reaches('Converged');
    script().setUnplugBehaviour(vmUuid, 'all', 'silent');
    bench.apply({ memory: '1Gi' });
    await bench.reaches('UnplugUnknown');
    expect(persisted()).toEqual([
      'False',
      'NotConverged',
      'the stored definition is written once the running VM has its size',
    ]);
    bench.apply({ memory: '2Gi' });
    expect(script().storeWrites()).toBe(1);
    script().letGo(vmUuid, 0);
    await bench.reaches('Converged');
    expect(stored()).toEqual([[1, 'ua-dimmer-1', gib(1)]]);
  });

  it('writes nothing before the guest has taken up what was plugged', async () => {
    await start({ memory: '4Gi' });
    script().setOnlines(vmUuid, false);
    await bench.reaches('GuestNotOnlined');
    expect(script().total(vmUuid)).toBe(gib(4));
    expect(script().calls().persist).toBe(0);
    expect(persisted()[1]).toBe('NotConverged');
    script().onlineAll(vmUuid);
    await bench.reaches('Converged');
    expect(persisted()).toEqual(isTrue);
  });

  it('writes nothing while nothing changes', async () => {
    await start({ memory: '4Gi' });
    await bench.reaches('Converged');
    const { resourceVersion } = bench.resources.get('tenants/vm')?.metadata ?? {};
    await bench.clock.advance(3_600_000);
    expect(script().storeWrites()).toBe(1);
    expect(script().calls().persist).toBe(1);
    expect(bench.resources.get('tenants/vm')?.metadata.resourceVersion).toBe(resourceVersion);
  });

  it('a start gives the whole size: nothing is plugged', async () => {
    await start({ memory: '4Gi' });
    await bench.reaches('Converged');
    script().shutDown(vmUuid);
    await bench.reaches('VMNotRunning');
    expect(persisted()).toEqual(['Unknown', 'NotObserved', '']);
    const before = resized();
    script().start(vmUuid);
    await bench.reaches('Converged');
    expect(script().total(vmUuid)).toBe(gib(4));
    expect(resized()).toBe(before);
    expect(persisted()).toEqual(isTrue);
    // And what it has may be taken from it as ever.
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    expect(stored()).toEqual([]);
  });

  it('Live writes nothing, has no condition, and says what a start gives', async () => {
    await start({ memory: '4Gi', persistence: 'Live' });
    await bench.reaches('Converged');
    expect(bench.condition('Persisted')).toBeUndefined();
    expect(bench.status().memory).toMatchObject({ current: '4Gi', atNextBoot: '1Gi' });
    expect(script().calls().persist).toBe(0);
    // Asked for later on, it is written then; given up, it stays.
    bench.apply({ persistence: 'LiveAndConfig' });
    await bench.reaches('Converged');
    expect(bench.status().memory?.atNextBoot).toBe('4Gi');
    bench.apply({ persistence: 'Live', memory: '6Gi' });
    await bench.reaches('Converged');
    expect(bench.condition('Persisted')).toBeUndefined();
    expect(bench.status().memory?.atNextBoot).toBe('4Gi');
  });

  it('what cannot be written is a condition, not a failure of the resize, and is tried again ever more slowly', async () => {
    await start({ memory: '4Gi' });
    script().setStoreProblem('libvirt: No space left on device (error 38)');
    await bench.reaches('Converged');
    const [status, reason, message] = persisted();
    expect([status, reason]).toEqual(['False', 'DefinitionNotWritten']);
    expect(message).toMatch(
      /^the stored definition could not be written: libvirt: No space left on device \(error 38\); tried 1 time, again at /,
    );
    expect(bench.status().memory).toMatchObject({ current: '4Gi', atNextBoot: '1Gi' });
    const { completionTime } = bench.status().lastResize ?? {};
    expect(completionTime).toBeDefined();
    // Whatever is heard of the VM meanwhile.
    for (let second = 0; second < 8; second += 1) {
      script().emit({ kind: 'lifecycle', uuid: vmUuid });
      await bench.clock.advance(1_000);
    }
    expect(script().calls().persist).toBe(1);
    await bench.clock.advance(100_000);
    expect(script().calls().persist).toBe(4);
    expect(bench.reason()).toBe('Converged');
    script().setStoreProblem(null);
    await says('AsExpected', 'it is written');
    expect(persisted()).toEqual(isTrue);
    expect(bench.status().lastResize?.completionTime).toBe(completionTime);
  });

  it('somebody who asks for a retry gets one', async () => {
    await start({ memory: '4Gi' });
    script().setStoreProblem('libvirt: read-only file system (error 38)');
    await bench.reaches('Converged');
    script().setStoreProblem(null);
    bench.apply({}, 'vm', { 'dimmer.dev/reconcile-requested-at': 'now' });
    await bench.clock.advance(1_000);
    expect(persisted()).toEqual(isTrue);
  });

  it.each<[string, Parameters<ReturnType<typeof script>['setStored']>[1], string]>([
    [
      'another boot memory',
      { boot: [{ node: 0, size: gib(2) }] },
      'the stored definition has boot memory of 2Gi and the running VM of 1Gi',
    ],
    [
      'another maximum',
      { maxMemory: gib(32) },
      'the stored definition has a <maxMemory> of 32Gi and the running VM of 16Gi',
    ],
    ['other slots', { slots: 8 }, 'the stored definition has slots of 8 and the running VM of 16'],
    [
      'other cells',
      {
        boot: [
          { node: 0, size: mib(512) },
          { node: 1, size: mib(512) },
        ],
      },
      'the stored definition has NUMA cells of 0: 512Mi, 1: 512Mi and the running VM of 0: 1Gi',
    ],
  ])('where the definition is another one nothing is written: %s', async (_, change, message) => {
    await start({ memory: '4Gi' });
    script().setStored(vmUuid, change);
    await bench.reaches('Converged');
    expect(persisted()).toEqual([
      'False',
      'DefinitionDiffers',
      `${message}: shut the VM down and start it, or set that back (virsh edit db-1)`,
    ]);
    expect(stored()).toEqual([]);
    expect(script().calls().persist).toBe(0);
    // Gone with its cause: the VM is started with it, and has its size again.
    script().shutDown(vmUuid);
    script().start(vmUuid);
    await says('AsExpected', 'it is written');
    expect(bench.status().memory).toMatchObject({ current: '4Gi', atNextBoot: '4Gi' });
  });

  it('where a device of odd size would make them misaligned nothing is written', async () => {
    await start({ memory: '2Gi' }, { others: [{ name: 'nvdimm', size: mib(50), isPlaced: true }] });
    await bench.reaches('Converged');
    const [, reason, message] = persisted();
    expect(reason).toBe('DefinitionDiffers');
    expect(message).toContain('QEMU would place modules behind nvdimm of 50Mi, which is no multiple of 128Mi');
    expect(stored()).toEqual([]);
  });

  it('a definition changed by hand is brought back; what somebody plugs for the next start only, goes', async () => {
    await start({ memory: '4Gi' });
    await bench.reaches('Converged');
    const backing = { pageSize: null, hostNodes: null };
    script().setStored(vmUuid, {
      modules: [{ slot: 3, size: gib(2), node: 0, alias: null, base: null, ...backing }],
    });
    await bench.clock.until('it is brought back', () => script().storeWrites() === 2);
    expect(stored()).toEqual([[0, 'ua-dimmer-0', gib(3)]]);
  });

  it('made transient, undefined and defined: said so, and written when there is something to write to', async () => {
    await start({ memory: '4Gi' });
    await bench.reaches('Converged');
    script().setStored(vmUuid, null);
    await says('TransientVM', 'it is told to be transient');
    expect(persisted()[2]).toContain('VM db-1 is transient: it has no stored definition');
    expect(bench.status().memory).not.toHaveProperty('atNextBoot');
    expect(bench.reason()).toBe('Converged');
    script().setStored(vmUuid, {});
    await says('AsExpected', 'it is written');
    expect(stored()).toEqual([[0, 'ua-dimmer-0', gib(3)]]);
  });

  it('an older agent cannot, and that is said', async () => {
    await start({ memory: '4Gi' });
    script().setSaysStored(vmUuid, false);
    await bench.reaches('Converged');
    const [status, reason, message] = persisted();
    expect([status, reason]).toEqual(['False', 'UnsupportedAgent']);
    expect(message).toContain('the agent of host hv-1 is too old');
    expect(bench.status().memory).not.toHaveProperty('atNextBoot');
    script().setSaysStored(vmUuid, true);
    script().restartAgent('0.2.0');
    await says('AsExpected', 'the newer agent has written it');
  });

  it.each(['paused', 'nothing wanted'] as const)('writes nothing where nothing may be done: %s', async (why) => {
    await start({ memory: '4Gi', persistence: 'Live' });
    await bench.reaches('Converged');
    if (why === 'paused') bench.apply({ persistence: 'LiveAndConfig', paused: true });
    else bench.apply({ persistence: 'LiveAndConfig', memory: undefined as never });
    await bench.clock.advance(60_000);
    expect(persisted().slice(0, 2)).toEqual(['False', why === 'paused' ? 'Paused' : 'ObserveOnly']);
    expect(script().calls().persist).toBe(0);
  });

  it.each(['hang', 'lose-answer', 'lose-request'] as const)(
    'a controller that is killed between the running change and the stored one is followed by one that writes it: %s',
    async (kind) => {
      await start({ memory: '4Gi' });
      script().inject('persist', kind === 'hang' ? { kind, ms: 40_000 } : { kind });
      await bench.clock.until('it is about to be written', () => script().calls().persist === 1);
      bench.kill();
      await bench.reaches('Converged');
      await says('AsExpected', 'it is written');
      expect(stored()).toEqual([[0, 'ua-dimmer-0', gib(3)]]);
      expect(script().total(vmUuid)).toBe(gib(4));
    },
  );

  it('an answer that is lost, or a VM that has changed meanwhile, ends in the same', async () => {
    await start({ memory: '4Gi' });
    script().inject('persist', { kind: 'fail', error: hostError('stale-revision', 'changed') });
    script().inject('persist', { kind: 'lose-answer' });
    await bench.reaches('Converged');
    await says('AsExpected', 'it is written');
    expect(script().storeWrites()).toBe(1);
  });

  it('Release takes what has left out of the definition, too, before the resource goes', async () => {
    await start({ memory: '4Gi', deletionPolicy: 'Release' });
    await bench.reaches('Converged');
    expect(stored()).toHaveLength(1);
    bench.delete();
    await bench.clock.until('it is gone', () => bench.resources.get('tenants/vm') === undefined);
    expect(stored()).toEqual([]);
    expect(script().total(vmUuid)).toBe(gib(1));
    expect(script().domain(vmUuid).operations.claim).toBeNull();
  });
});

describe('RestartRequired beside it', () => {
  const restart = () => bench.condition('RestartRequired')?.message ?? '';

  it('says "change it, then restart", and "restart it" once the definition says so', async () => {
    await start({ memory: '20Gi' }, { boot: gib(2) });
    await bench.reaches('ExceedsMaxMemory');
    expect(restart()).toBe(
      'raise <maxMemory> to at least 20Gi in its stored definition (virsh edit db-1), then shut it down and start it: a reboot of the guest changes nothing',
    );
    script().setStored(vmUuid, { maxMemory: gib(24) });
    await bench.clock.until('it is noticed', () => restart().includes('already'));
    expect(restart()).toBe(
      'raise <maxMemory> to at least 20Gi: its stored definition says so already; shut it down and start it: a reboot of the guest changes nothing',
    );
    script().shutDown(vmUuid);
    script().start(vmUuid);
    await bench.reaches('Converged');
    expect(bench.condition('RestartRequired')?.status).toBe('False');
    expect(bench.status().memory?.atNextBoot).toBe('20Gi');
  });

  it('says of a transient VM that it has no stored definition', async () => {
    await start({ memory: '512Mi' }, { stored: null });
    await bench.reaches('BelowBootMemory');
    expect(restart()).toContain(
      'in the definition that VM db-1 is created from (it is transient, and has no stored one)',
    );
  });
});
