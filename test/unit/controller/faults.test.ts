import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import type { SimulatedFault, SimulatedOperation } from '../../../src/host/simulated/script.ts';
import { hostError } from '../../../src/host/errors.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const modules = [{ size: mib(512) }, { size: mib(256) }, { size: mib(256) }];
const domain: SimulatedDomainSpec = { uuid: vmUuid, name: 'db-1', boot: gib(1), modules };

const faults: readonly SimulatedFault[] = [
  { kind: 'lose-answer' },
  { kind: 'lose-request' },
  { kind: 'answer-late', ms: 3_000 },
  { kind: 'act-late', ms: 20_000 },
  { kind: 'fail', error: hostError('internal-error', 'a fault on purpose') },
  { kind: 'fail', error: hostError('busy', 'a fault on purpose') },
];

describe('faults', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const changes = () => bench.host().script.changes();

  const cases = (['observe', 'plug', 'unplug', 'facts'] as SimulatedOperation[]).flatMap((operation) =>
    faults.map((fault) => ({ operation, fault, name: fault.kind === 'fail' ? fault.error.code : fault.kind })),
  );

  it.each(cases)('ends where it should after $operation meets $name', async ({ operation, fault }) => {
    bench = await createControllerBench([domain]);
    const { script } = bench.host();
    script.inject(operation, fault, 2);
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged', 'vm', 1_200_000);
    expect(script.total(vmUuid)).toBe(gib(3));
    // Never more than wanted on the way (I1), and nothing plugged twice (I4).
    expect(Math.max(...changes().map(({ total }) => total))).toBeLessThanOrEqual(gib(3));
    expect(changes().filter(({ what }) => what === 'plugged')).toHaveLength(1);

    script.inject(operation, fault, 2);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged', 'vm', 1_200_000);
    expect(script.total(vmUuid)).toBe(gib(2));
    expect(Math.min(...changes().map(({ total }) => total))).toBeGreaterThanOrEqual(gib(2));
  });

  it('survives its own end at any moment of a resize', async () => {
    for (let steps = 0; steps < 12; steps += 1) {
      bench = await createControllerBench([domain]);
      const { script } = bench.host();
      bench.apply({ memory: '3Gi' });
      await bench.clock.advance(steps * 20);
      await bench.restart();
      script.restartAgent();
      await bench.reaches('Converged', 'vm', 600_000);
      bench.apply({ memory: '1Gi' });
      await bench.clock.advance(steps * 20);
      await bench.restart();
      await bench.reaches('UnreachableSize', 'vm', 600_000).catch(() => bench.reaches('Converged', 'vm', 600_000));
      expect(changes().filter(({ what }) => what === 'plugged')).toHaveLength(1);
      expect(script.total(vmUuid)).toBe(gib(1));
      await bench.close();
    }
    bench = await createControllerBench([domain]);
  });

  it('says that a host is down, and goes on by itself when it is back', async () => {
    bench = await createControllerBench([domain]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    bench.host().script.setReachable(false);
    await bench.reaches('HostUnreachable');
    expect(bench.condition('HostReachable')?.status).toBe('False');
    expect(bench.status().memory?.current).toBe('2Gi');
    bench.host().script.setReachable(true);
    await bench.reaches('Converged', 'vm', 5_000);
  });

  it('is no storm of retries while a host is down', async () => {
    bench = await createControllerBench([domain]);
    bench.host().script.setReachable(false);
    bench.apply({ memory: '3Gi' });
    await bench.reaches('HostUnreachable');
    const before = bench.host().script.calls().observe;
    await bench.clock.advance(3_600_000);
    expect(bench.host().script.calls().observe - before).toBeLessThan(40);
  });

  it('does not try a rejected plan again until something changes', async () => {
    bench = await createControllerBench([domain]);
    const { script } = bench.host();
    script.inject('plug', { kind: 'fail', error: hostError('rejected', 'libvirt error 67: too much') }, 100);
    bench.apply({ memory: '3Gi' });
    await bench.reaches('HypervisorRejected');
    expect(bench.condition('Ready')?.message).toContain('libvirt error 67');
    await bench.clock.advance(7_200_000);
    expect(script.calls().plug).toBe(1);
    bench.apply({ memory: '4Gi' });
    await bench.clock.advance(1_000);
    expect(script.calls().plug).toBe(2);
  });

  it('says that an agent is of another version, and tries again at once when it is replaced', async () => {
    bench = await createControllerBench([domain]);
    const { script } = bench.host();
    script.inject('plug', { kind: 'fail', error: hostError('bad-request', 'body/future is not allowed') }, 100);
    bench.apply({ memory: '3Gi' });
    await bench.reaches('UnsupportedAgent');
    expect(bench.condition('Ready')?.message).toMatch(
      /: host hv-1: the agent doesn't know what .* bring both to one version: body\/future is not allowed$/,
    );
    const said = ['HostReachable', 'Stalled'].map((type) => bench.condition(type)?.status);
    expect(said).toEqual(['True', 'True']);
    await bench.clock.advance(7_200_000);
    script.restartAgent();
    await bench.clock.advance(60_000);
    expect(script.calls().plug).toBe(1);
    script.clearFaults();
    script.restartAgent('0.2.0');
    await bench.reaches('Converged', 'vm', 5_000);
    expect(script.calls().plug).toBe(2);
  });

  it('tries a plug again that QEMU failed at, ever more slowly, and says so', async () => {
    bench = await createControllerBench([domain]);
    const { script } = bench.host();
    script.setAttachProblem('libvirt: unable to map backing store for guest RAM: Cannot allocate memory (error 1)');
    bench.apply({ memory: '3Gi' });
    await bench.reaches('HypervisorFailed');
    expect(bench.condition('Ready')?.message).toMatch(
      /^plugging 1Gi into slot 3: libvirt: .*Cannot allocate memory \(error 1\); tried 1 time, again at \d{4}-.*Z$/,
    );
    expect(bench.condition('Stalled')?.status).toBe('False');
    // Whatever else is heard of the VM meanwhile.
    for (let second = 0; second < 9; second += 1) {
      script.emit({ kind: 'statistics', uuid: domain.uuid });
      await bench.clock.advance(1_000);
    }
    expect(script.calls().plug).toBe(1);
    await bench.clock.advance(3_600_000);
    expect(script.calls().plug).toBeGreaterThan(6);
    expect(script.calls().plug).toBeLessThan(14);
    expect(bench.condition('Ready')?.message).toContain(`tried ${script.calls().plug} times`);
    // It has passed: within the longest delay nobody needs to do anything.
    script.setAttachProblem(null);
    await bench.clock.advance(600_000);
    await bench.reaches('Converged');
    expect(changes().filter(({ what }) => what === 'plugged')).toHaveLength(1);
  });

  it('tries at once what had failed when a user asks for that', async () => {
    bench = await createControllerBench([domain]);
    const { script } = bench.host();
    script.setAttachProblem('libvirt: Cannot allocate memory (error 1)');
    bench.apply({ memory: '3Gi' });
    await bench.reaches('HypervisorFailed');
    script.setAttachProblem(null);
    bench.apply({}, 'vm', { 'dimmer.dev/reconcile-requested-at': 'now' });
    await bench.reaches('Converged', 'vm', 5_000);
  });

  it.each(['busy', 'guest-late', 'unreachable'] as const)(
    'makes the try that a user asks for when what was in the way of it has passed (%s)',
    async (code) => {
      bench = await createControllerBench([{ ...domain, modules: [{ size: gib(1) }] }]);
      const { script } = bench.host();
      script.setUnplugBehaviour(vmUuid, 'all', 'refuse');
      bench.apply({ memory: '1Gi' });
      await bench.reaches('GuestRefused');
      script.setUnplugBehaviour(vmUuid, 'all', 'accept');
      const error = hostError(code, 'on purpose');
      script.inject(code === 'unreachable' ? 'observe' : 'unplug', { kind: 'fail', error }, 2);
      const asked = script.changes().length;
      bench.apply({}, 'vm', { 'dimmer.dev/reconcile-requested-at': 'now' });
      // Sooner than the module may be asked for again by itself.
      await bench.reaches('Converged', 'vm', 40_000);
      expect(bench.status().lastHandledReconcileAt).toBe('now');
      expect(script.changes().length).toBeGreaterThan(asked);
    },
  );

  it('derives status anew when somebody else wrote first', async () => {
    bench = await createControllerBench([domain]);
    bench.resources.failures.push({ outcome: 'conflict' }, { outcome: 'failed', message: 'no', retryable: true });
    bench.apply({ memory: '3Gi' });
    await bench.reaches('Converged');
    expect(changes().filter(({ what }) => what === 'plugged')).toHaveLength(1);
  });
});
