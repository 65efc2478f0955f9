/** What kstatus makes of our objects: before a controller has seen them, while it works, and after. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeKStatus } from '../../support/kstatus.ts';
import { gib } from '../../../src/memory/bytes.ts';
import { type DimmerCluster, eventually, host, memory, startClusterWithOne, uuid } from './support/dimmer-cluster.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

let plane: DimmerCluster;
beforeAll(async () => {
  plane = await startClusterWithOne();
});
afterAll(() => plane.stop());

const read = {
  memory: (name = 'db') => plane.get('vmmem', name, '-n', 't'),
  host: (name = 'hv') => plane.get('hvh', name),
};
const reasonOf = (object: object): string | undefined =>
  (object as { status?: { conditions?: { type: string; reason: string }[] } }).status?.conditions?.find(
    ({ type }) => type === 'Ready',
  )?.reason;

describe('before any controller has seen an object', () => {
  it.each(['memory', 'host'] as const)('a new %s is in progress, observed by nobody', async (kind) => {
    const object = await read[kind]();
    expect(object['status']).toEqual({ observedGeneration: -1 });
    expect(computeKStatus(object)).toBe('InProgress');
  });

  it.each([
    ['memory', 'vmmem', 'db', ['-n', 't']],
    ['host', 'hvh', 'hv', []],
  ] as const)('a %s on which somebody else set a condition is so, too', async (kind, resource, name, scope) => {
    const condition = { type: 'acme.io/BackedUp', status: 'True', reason: 'Done', message: 'last night' };
    const conditions = [{ ...condition, lastTransitionTime: '2026-01-01T00:00:00Z' }];
    // A whole status that says nothing of observedGeneration, as by PUT.
    const object = { ...(await read[kind]()), status: { conditions } };
    await plane.kubectlOk(['replace', '--subresource=status', '-f', '-'], { input: JSON.stringify(object) });
    expect((await read[kind]())['status']).toEqual({ observedGeneration: -1, conditions });
    expect(computeKStatus(await read[kind]())).toBe('InProgress');
    const clear = ['--subresource=status', '--type=merge', '-p', '{"status":null}'];
    await plane.kubectlOk(['patch', resource, name, ...scope, ...clear]);
  });

  it.each([
    ['vmmem', 'db', ['-n', 't'], 'VirtualMachineMemory'],
    ['hvh', 'hv', [], 'HypervisorHost'],
  ] as const)('a %s was observed at -1 at the least', async (resource, name, scope, kind) => {
    const patch = (observedGeneration: unknown) =>
      plane.kubectl([
        ...['patch', resource, name, ...scope, '--subresource=status', '--type=merge', '--dry-run=server'],
        ...['-p', JSON.stringify({ status: { observedGeneration } })],
      ]);
    for (const wrong of [-2, 1.5, '1']) {
      const { code, stderr } = await patch(wrong);
      expect([wrong, code]).toEqual([wrong, 1]);
      expect(stderr).toContain(`The ${kind} "${name}" is invalid: `);
      expect(stderr).toContain('status.observedGeneration: Invalid value: ');
      if (wrong === -2) expect(stderr).toContain('should be greater than or equal to -1');
    }
    for (const right of [-1, 0, 1]) expect([right, (await patch(right)).code]).toEqual([right, 0]);
  });
});

describe('with a controller', () => {
  let controller: LiveController;
  /** Waits for the reason of Ready; what kstatus says then. */
  const after = async (kind: 'memory' | 'host', reason: string): Promise<string> => {
    const object = await eventually(`${kind} to say ${reason}`, async () => {
      const now = await read[kind]();
      return (
        reasonOf(now) === reason &&
        (now['status'] as { observedGeneration: number }).observedGeneration === now.metadata['generation'] &&
        now
      );
    });
    return computeKStatus(object);
  };
  beforeAll(async () => {
    controller = await startLiveController(plane, { domains: { hv: [{ uuid, name: 'db-vm', boot: gib(1) }] } });
  });
  afterAll(() => controller.close());

  it('an object that has what it wants is current', async () => {
    expect(await after('memory', 'Converged')).toBe('Current');
    expect(await after('host', 'AgentAnswers')).toBe('Current');
  });

  it('a size that can not be reached has failed, since somebody must choose another', async () => {
    await plane.apply(memory('db', 't', { memory: '64Ti' }));
    expect(await after('memory', 'ExceedsMaxMemory')).toBe('Failed');
    await plane.apply(memory('db', 't', { memory: '2Gi' }));
    expect(await after('memory', 'Converged')).toBe('Current');
  });

  it('a host that does not answer is in progress with all that is on it, and current when it is back', async () => {
    controller.host('hv').script.setReachable(false);
    expect(await after('host', 'HostUnreachable')).toBe('InProgress');
    expect(await after('memory', 'HostUnreachable')).toBe('InProgress');
    controller.host('hv').script.setReachable(true);
    expect(await after('host', 'AgentAnswers')).toBe('Current');
    expect(await after('memory', 'Converged')).toBe('Current');
  });

  it('a host tells what became of it to kubectl get, wait, events and describe, and to Prometheus', async () => {
    await plane.kubectlOk(['wait', '--for=condition=Reconciling=false', 'hvh/hv', '--timeout=5s']);
    await plane.apply(host('hv', { cordoned: true }));
    const told = await eventually('the event of the cordon', async () => {
      const text = await plane.kubectlOk(['describe', 'hvh', 'hv']);
      return text.includes('Uncordoned') || !text.includes('Cordoned ') ? false : text;
    });
    expect(told).toMatch(/Normal +AgentAnswers .*agent .* answers/);
    expect(told).toMatch(/Warning +HostUnreachable .*host hv: /);
    const listed = await plane.kubectlOk(['events', '--for', 'hvh/hv']);
    expect(listed).toMatch(/Normal +Cordoned +HypervisorHost\/hv +no memory is plugged on this host until/);
    expect(await plane.kubectlOk(['get', 'hvh', 'hv', '--no-headers'])).toMatch(/ True +AgentAnswers +/);
    expect(await controller.registry.metrics()).toContain('dimmer_host_ready{host="hv"} 1');
  });

  it('a change that no controller has seen is in progress', async () => {
    await controller.close();
    await plane.apply(memory('db', 't', { memory: '3Gi' }), host('hv', { cordoned: false }));
    expect(computeKStatus(await read.memory())).toBe('InProgress');
    expect(computeKStatus(await read.host())).toBe('InProgress');
  });
});
