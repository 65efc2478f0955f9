/** `status.lastResize`: it begins when something is about to be changed, and says what has become of the VM. */
import { afterEach, describe, expect, it } from 'vitest';
import { hostError } from '../../../src/host/errors.ts';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

describe('the record of a resize', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const resized = () => bench.events.events.filter(({ action }) => action === 'Resize').map(({ message }) => message);

  it('is not begun by a change that was certainly not made', async () => {
    bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1) }]);
    const short = hostError('insufficient-host-memory', 'a fault on purpose');
    // It asks the host once more what it has, and tries again, before it says so.
    bench.host().script.inject('plug', { kind: 'fail', error: short }, 2);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('InsufficientHostMemory');
    expect(bench.status().lastResize).toBeUndefined();
    await bench.reaches('Converged');
    expect(bench.status().lastResize).toMatchObject({ from: '1Gi', to: '2Gi' });
  });

  it('tells of no resize when the wish is taken back before anything has come of it', async () => {
    bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1) }]);
    bench.host().script.inject('plug', { kind: 'fail', error: hostError('internal-error', 'on purpose') }, 100);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('HostUnreachable');
    // Nobody knows whether something was plugged.
    expect(bench.status().lastResize).toMatchObject({ from: '1Gi', to: '2Gi' });
    bench.apply({ memory: '1Gi' });
    await bench.reaches('Converged');
    expect(resized()).toEqual([]);
    expect(bench.events.events.at(-1)).toMatchObject({ action: 'Reconcile', reason: 'Converged' });
  });

  it('begins with the first of several changes, also when the second is refused', async () => {
    bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: gib(1) }]);
    const host = bench.host();
    const plug = host.plug.bind(host);
    let plugs = 0;
    host.plug = (...call) => {
      plugs += 1;
      if (plugs === 2) host.script.inject('plug', { kind: 'fail', error: hostError('rejected', 'on purpose') }, 100);
      return plug(...call);
    };
    bench.apply({ memory: '2Gi', growPolicy: 'Divisible' });
    await bench.reaches('HypervisorRejected');
    expect(bench.status().lastResize).toMatchObject({ from: '1Gi', to: '2Gi' });
    expect(bench.status().lastResize?.completionTime).toBeUndefined();

    // What there is by now is what is wanted: nothing is done, and that is what it has come to.
    const { current = '' } = bench.status().memory ?? {};
    bench.apply({ memory: current });
    await bench.reaches('Converged');
    expect(bench.status().lastResize).toMatchObject({ from: '1Gi', to: current });
    expect(resized()).toEqual([`resized from 1Gi to ${current}`]);
  });

  it('begins when its turn has come: a guest is not late for the time that was spent in line', async () => {
    const domains = [1, 2].map((number) => ({ uuid: uuidOfNumber(number), name: `vm-${number}`, boot: gib(1) }));
    bench = await createControllerBench(domains, { hostSpec: { maxConcurrentOperations: 1 } });
    const want = (number: number): void =>
      bench.apply({ virtualMachine: { uuid: uuidOfNumber(number) }, memory: '2Gi' }, `vm-${number}`);
    bench.host().script.setOnlines(uuidOfNumber(2), false);
    bench.host().script.inject('plug', { kind: 'answer-late', ms: 90_000 });
    want(1);
    await bench.clock.advance(1_000);
    want(2);
    await bench.reaches('HostBusy', 'vm-2');
    await bench.reaches('WaitingForGuest', 'vm-2');
    const startedMs = Date.parse(bench.status('vm-2').lastResize?.startTime ?? '');
    expect(bench.clock.now() - startedMs).toBeLessThan(5_000);
    await bench.clock.advance(50_000);
    expect(bench.reason('vm-2')).toBe('WaitingForGuest');
    await bench.reaches('GuestNotOnlined', 'vm-2', 15_000);
  });
});
