/** The condition RestartRequired: what the stored definition has to be, and gone when it is (docs/adr/0047). */
import { afterEach, expect, it } from 'vitest';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

let bench: ControllerBench;
afterEach(() => bench.close());

const domain = { uuid: vmUuid, name: 'db-1', boot: gib(1), maxMemory: gib(16) };
async function start(spec: Partial<SimulatedDomainSpec>, memory: string, reason: string) {
  bench = await createControllerBench([{ ...domain, ...spec }]);
  bench.apply({ memory });
  await bench.reaches(reason);
}
const said = () => {
  const { status, reason, message } = bench.condition('RestartRequired') ?? {};
  return [status, reason, message] as const;
};
const not = ['False', 'NotRequired', ''] as const;

it.each<[string, Partial<SimulatedDomainSpec>, string, string]>([
  ['BelowBootMemory', {}, '512Mi', 'lower its boot memory of 1Gi (<memory> less its modules) to at most 512Mi'],
  [
    'BelowBootMemory',
    {
      boot: [
        { node: 0, size: mib(512) },
        { node: 1, size: mib(512) },
      ],
    },
    '512Mi',
    'lower its boot memory of 1Gi (<memory> less its modules, and the cells of <numa> so that they make as much) to at most 512Mi',
  ],
  ['ExceedsMaxMemory', { maxMemory: gib(2) }, '3Gi', 'raise <maxMemory> to at least 3Gi'],
  [
    'BootMemoryTooSmall',
    { maxMemory: gib(64) },
    '20Gi',
    'raise its boot memory (<memory> less its modules) to at least 1280Mi',
  ],
  ['HotplugUnsupported', { maxMemory: null }, '2Gi', "add <maxMemory slots='16'> of at least 2Gi"],
  ['SlotsExhausted', { slots: 1, slotsUsedByOthers: [0] }, '2Gi', 'raise the slots of its <maxMemory> from 1'],
])('%s (%j, wanted %s)', async (reason, spec, memory, change) => {
  await start(spec, memory, reason);
  expect(said()).toEqual([
    'True',
    reason,
    `${change} in its stored definition (virsh edit db-1), then shut it down and start it: a reboot of the guest changes nothing`,
  ]);
});

it('clears itself when the wish is another', async () => {
  await start({}, '512Mi', 'BelowBootMemory');
  expect(said()[0]).toBe('True');
  bench.apply({ memory: '2Gi' });
  await bench.reaches('Converged');
  expect(said()).toEqual(not);
});

it('clears itself when the VM was started with what it says', async () => {
  await start({ maxMemory: gib(2) }, '3Gi', 'ExceedsMaxMemory');
  expect(said()[0]).toBe('True');
  const { script } = bench.host();
  script.shutDown(vmUuid);
  await bench.reaches('VMNotRunning');
  expect(said()).toEqual(['Unknown', 'NotObserved', '']);
  script.depart(vmUuid);
  script.addDomain({ ...domain, maxMemory: gib(3) });
  script.emit({ kind: 'lifecycle', uuid: vmUuid });
  await bench.reaches('Converged');
  expect(said()).toEqual(not);
});

it.each([
  ['the guest refuses', { modules: [{ size: mib(512) }], unplugBehaviour: 'refuse' }, '1Gi', 'GuestRefused'],
  ['no set of modules is that size', { modules: [{ size: mib(512) }] }, '1280Mi', 'UnreachableSize'],
  [
    'nothing more is possible',
    { slots: 256, slotsUsedByOthers: Array.from({ length: 256 }, (_, slot) => slot) },
    '2Gi',
    'SlotsExhausted',
  ],
] as const)('is not said where a restart changes nothing: %s', async (_, spec, memory, reason) => {
  await start(spec, memory, reason);
  expect(said()).toEqual(not);
});
