import { afterEach, describe, expect, it } from 'vitest';
import { findCondition } from '../../../src/api/v1alpha1/conditions.ts';
import { hostError, type HostErrorCode, hostErrorTable } from '../../../src/host/errors.ts';
import { computeHostConditions, judgeHost } from '../../../src/controllers/host/verdict.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain = { uuid: vmUuid, name: 'db-1' };

describe('a host', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());

  const said = (name?: string) =>
    ['Ready', 'Reconciling', 'Stalled'].map((type) => findCondition(bench.hostStatus(name).conditions, type)?.status);
  const says = (reason: string, name?: string) =>
    bench.clock.until(
      `the host says ${reason}`,
      () => findCondition(bench.hostStatus(name).conditions, 'Ready')?.reason === reason,
    );
  const events = () =>
    bench.events.events
      .filter(({ key }) => key.startsWith('hv-'))
      .map(({ key, type, reason, action }) => [key, type, reason, action].join(' '));

  it('says whether it is ready, asked again, or in need of somebody, and tells each change once', async () => {
    bench = await createControllerBench([domain]);
    await says('AgentAnswers');
    expect(said()).toEqual(['True', 'False', 'False']);
    bench.host().script.setReachable(false);
    await says('HostUnreachable');
    expect(said()).toEqual(['False', 'True', 'False']);
    await bench.clock.advance(3_600_000);
    bench.host().script.setReachable(true);
    await says('AgentAnswers');
    bench.host().script.inject('facts', { kind: 'fail', error: hostError('tls-rejected', 'not our certificate') }, 100);
    await says('HostUnauthorized');
    expect(said()).toEqual(['False', 'False', 'True']);
    bench.applyHost({ memoryOvercommit: 'lots' });
    await says('InvalidSpec');
    expect(said()).toEqual(['False', 'False', 'True']);
    expect(events()).toEqual([
      'hv-1 Normal AgentAnswers Connect',
      'hv-1 Warning HostUnreachable Connect',
      'hv-1 Normal AgentAnswers Connect',
      'hv-1 Warning HostUnauthorized Connect',
      'hv-1 Warning InvalidSpec Connect',
    ]);
    expect(bench.events.events.find(({ reason }) => reason === 'HostUnauthorized')?.message).toContain('hv-1');
  });

  it('tells a cordon and its end, and no cordon that was there before', async () => {
    bench = await createControllerBench([domain], { hostSpec: { cordoned: true } });
    await says('AgentAnswers');
    bench.applyHost({ cordoned: false });
    await bench.clock.advance(1_000);
    bench.applyHost({ maxConcurrentOperations: 7 });
    await bench.clock.advance(1_000);
    // A write that fails first.
    bench.hosts.failures.push({ outcome: 'conflict' }, { outcome: 'failed', message: 'no', retryable: true });
    bench.applyHost({ cordoned: true });
    await bench.clock.advance(60_000);
    await bench.restart();
    await bench.clock.advance(60_000);
    expect(events()).toEqual([
      'hv-1 Normal AgentAnswers Connect',
      'hv-1 Normal Uncordoned Cordon',
      'hv-1 Normal Cordoned Cordon',
    ]);
  });

  it('tells a cordon that was made, or ended, while no controller ran, and once', async () => {
    bench = await createControllerBench([domain]);
    await says('AgentAnswers');
    for (const cordoned of [true, false]) {
      await bench.restart(() => bench.applyHost({ cordoned }));
      await bench.clock.advance(60_000);
      await bench.restart();
      await bench.clock.advance(60_000);
    }
    expect(events()).toEqual([
      'hv-1 Normal AgentAnswers Connect',
      'hv-1 Normal Cordoned Cordon',
      'hv-1 Normal Uncordoned Cordon',
    ]);
  });

  it('keeps in its status what was last known, and in the metrics only what is so', async () => {
    bench = await createControllerBench([domain]);
    bench.addHost('hv-2', [], { cordoned: true, memoryReserve: '4Gi', memoryOvercommit: '1.5' });
    await says('AgentAnswers', 'hv-2');
    const series = async (host: string) =>
      (await bench.metrics())
        .split('\n')
        .filter((line) => line.includes(`host="${host}"`))
        .map((line) => line.replace(/^dimmer_host_/, '').replace(`{host="${host}"}`, ''));
    const facts = await bench.host('hv-1').facts();
    if (!facts.ok) throw new Error(facts.error.message);
    const { total, available, committed } = facts.value.memory;
    expect(await series('hv-1')).toEqual([
      'ready 1',
      'cordoned 0',
      `memory_total_bytes ${total}`,
      `memory_available_bytes ${available}`,
      `memory_committed_bytes ${committed}`,
      `memory_limit_bytes ${total}`,
      'virtual_machines 1',
      'reason{host="hv-1",reason="AgentAnswers"} 1',
    ]);
    expect(await series('hv-2')).toContain('cordoned 1');
    expect(await series('hv-2')).toContain(`memory_limit_bytes ${(total - 4 * 2 ** 30) * 1.5}`);

    bench.host('hv-2').script.setReachable(false);
    await says('HostUnreachable', 'hv-2');
    expect(await series('hv-2')).toEqual(['ready 0', 'cordoned 1', 'reason{host="hv-2",reason="HostUnreachable"} 1']);
    expect(bench.hostStatus('hv-2').memory).toBeDefined();
    bench.hosts.remove('hv-2');
    expect(await series('hv-2')).toEqual([]);
    expect(await series('hv-1')).toHaveLength(8);
  });
});

describe('what is said of a host', () => {
  it.each(Object.keys(hostErrorTable) as HostErrorCode[])('%s is never both asked again and stuck', (code) => {
    const verdict = judgeHost(null, { ok: false, error: hostError(code, 'a fault') }, 'hv-1');
    const [ready, reconciling, stalled] = computeHostConditions(verdict).map(({ status }) => status);
    expect(ready).toBe('False');
    expect([reconciling, stalled].sort()).toEqual(['False', 'True']);
  });
});
