/** `HypervisorHost.spec.namespaceLimit`: a whole controller over a simulated host, and VMs of two namespaces. */
import { afterEach, describe, expect, it } from 'vitest';
import { gib } from '../../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench } from '../../support/controller-bench.ts';

const uuidOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const vm = (number: number) => ({ uuid: uuidOf(number), name: `vm-${number}`, boot: gib(1) });

let bench: ControllerBench;
afterEach(() => bench.close());

const want = (name: string, number: number, memory: string, more: object = {}): void =>
  bench.apply({ memory, virtualMachine: { uuid: uuidOf(number) }, ...more }, name);
const total = (number: number): number => bench.host().script.total(uuidOf(number)) / gib(1);

describe('a limit for each namespace', () => {
  it('is planned with: a growth past it is held and asked of no agent, and goes on when another VM has shrunk', async () => {
    bench = await createControllerBench([vm(1), vm(2)], { hostSpec: { namespaceLimit: '5Gi' } });
    for (const size of ['2Gi', '3Gi']) {
      want('a', 1, size);
      await bench.reaches('Converged', 'a');
    }
    // Until then the controller believes what the host has said before.
    await bench.clock.advance(6_000);
    const { plug } = bench.host().script.calls();
    want('b', 2, '3Gi');
    await bench.reaches('NamespaceLimitReached', 'b');
    expect(bench.condition('Ready', 'b')?.message).toContain('may have only 1Gi more of this host');
    expect(bench.condition('PlanFeasible', 'b')?.status).toBe('False');
    expect([bench.host().script.calls().plug, total(2)]).toEqual([plug, 1]);
    want('a', 1, '2Gi');
    await bench.reaches('Converged', 'a');
    await bench.reaches('Converged', 'b');
    expect([total(1), total(2)]).toEqual([2, 3]);
  });

  it('holds for each namespace by itself, and says in the status of the host who has most', async () => {
    bench = await createControllerBench([vm(1), vm(2)], { hostSpec: { namespaceLimit: '3Gi' } });
    bench.namespace('bank');
    want('a', 1, '3Gi');
    want('bank/b', 2, '2Gi');
    await bench.reaches('Converged', 'a');
    await bench.reaches('Converged', 'bank/b');
    await bench.clock.advance(330_000);
    expect(bench.hostStatus().namespaces).toEqual([
      { namespace: 'tenants', committed: '3Gi' },
      { namespace: 'bank', committed: '2Gi' },
    ]);
    const told = async (): Promise<readonly string[]> =>
      (await bench.metrics()).match(/^dimmer_host_namespace_.*$/gm) ?? [];
    // By host, and by no namespace.
    expect(await told()).toEqual([
      `dimmer_host_namespace_limit_bytes{host="hv-1"} ${gib(3)}`,
      `dimmer_host_namespace_largest_bytes{host="hv-1"} ${gib(3)}`,
    ]);
    const host = bench.hosts.get('hv-1');
    if (host === undefined) throw new Error('no host');
    const { namespaceLimit: _, ...unbounded } = host.spec;
    bench.hosts.apply({ ...host, spec: unbounded });
    await bench.clock.advance(330_000);
    expect(bench.hostStatus()).not.toHaveProperty('namespaces');
    expect(await told()).toEqual([]);
  });

  it('of VMs that grow at once none gets past it, and who can have its size gets it', async () => {
    const numbers = [1, 2, 3, 4, 5, 6];
    bench = await createControllerBench(numbers.map(vm), {
      hostSpec: { namespaceLimit: '8Gi', maxConcurrentOperations: 6 },
    });
    for (const number of numbers) want(`vm-${number}`, number, '3Gi');
    await bench.clock.advance(60_000);
    // Two have 3Gi; a third would make 9Gi.
    expect(numbers.map(total).sort()).toEqual([1, 1, 1, 1, 3, 3]);
    expect(numbers.filter((number) => bench.reason(`vm-${number}`) === 'NamespaceLimitReached')).toHaveLength(4);
  });

  it('takes nothing away where it is set below what there is; a raised one lets growth go on at once', async () => {
    bench = await createControllerBench([vm(1), vm(2)]);
    for (const size of ['3Gi', '4Gi']) {
      want('a', 1, size);
      await bench.reaches('Converged', 'a');
    }
    bench.applyHost({ namespaceLimit: '2Gi' });
    await bench.clock.advance(60_000);
    expect([bench.reason('a'), total(1)]).toEqual(['Converged', 4]);
    want('a', 1, '5Gi');
    await bench.reaches('NamespaceLimitReached', 'a');
    want('a', 1, '3Gi');
    await bench.reaches('Converged', 'a');
    want('a', 1, '5Gi');
    await bench.reaches('NamespaceLimitReached', 'a');
    bench.applyHost({ namespaceLimit: '5Gi' });
    await bench.reaches('Converged', 'a', 1_000);
    expect(total(1)).toBe(5);
  });

  it('is told as room to whoever sees the resource', async () => {
    bench = await createControllerBench([vm(1), vm(2)], { hostSpec: { namespaceLimit: '6Gi' } });
    want('a', 1, '2Gi');
    want('b', 2, '3584Mi');
    await bench.reaches('Converged', 'a');
    await bench.reaches('Converged', 'b');
    bench.apply({ memory: '2Gi', virtualMachine: { uuid: uuidOf(1) }, unplugTimeout: '31s' }, 'a');
    await bench.reaches('Converged', 'a');
    await bench.clock.advance(6_000);
    bench.apply({ memory: '4Gi', virtualMachine: { uuid: uuidOf(1) } }, 'a');
    await bench.reaches('NamespaceLimitReached', 'a');
    const { namespaceRoom, backings } = bench.status('a').planning ?? {};
    expect([namespaceRoom, backings?.map(({ room }) => room?.host)]).toEqual(['512Mi', ['512Mi']]);
  });

  it('counts a VM whose resource is gone as long as its claim stands, and one that its owner has reserved unasked', async () => {
    bench = await createControllerBench([vm(1), { ...vm(2), ownerNamespace: 'tenants' }, vm(3)], {
      hostSpec: { namespaceLimit: '6Gi' },
    });
    want('a', 1, '3Gi');
    await bench.reaches('Converged', 'a');
    bench.delete('a');
    want('c', 3, '3Gi');
    await bench.reaches('NamespaceLimitReached', 'c');
    want('c', 3, '2Gi');
    await bench.reaches('Converged', 'c');
  });

  it.each([
    ['without an owner counts again from its next change only', null, 5],
    ['of an owner counts as before', 'tenants', 1],
  ])('a VM started anew at the size that its definition has, %s', async (_, ownerNamespace, other) => {
    bench = await createControllerBench([{ ...vm(1), ownerNamespace }, vm(2)], { hostSpec: { namespaceLimit: '5Gi' } });
    want('a', 1, '4Gi', { persistence: 'LiveAndConfig' });
    await bench.reaches('Converged', 'a');
    await bench.clock.advance(6_000);
    bench.host().script.shutDown(uuidOf(1));
    bench.host().script.start(uuidOf(1));
    await bench.clock.advance(120_000);
    expect([bench.reason('a'), total(1)]).toEqual(['Converged', 4]);
    want('b', 2, '5Gi');
    await bench.clock.advance(60_000);
    expect(total(2)).toBe(other);
  });

  it('that the controller planned with figures of before is the agent’s to keep, and is said by the same reason', async () => {
    bench = await createControllerBench([vm(1), vm(2)], { hostSpec: { namespaceLimit: '4Gi' } });
    want('a', 1, '2Gi');
    want('b', 2, '2Gi');
    await bench.reaches('Converged', 'a');
    await bench.reaches('Converged', 'b');
    // Both within the five seconds for which the controller believes what the host said.
    want('a', 1, '3Gi');
    want('b', 2, '3Gi');
    await bench.clock.advance(30_000);
    expect([total(1), total(2)]).toEqual([2, 2]);
    expect([bench.reason('a'), bench.reason('b')]).toEqual(['NamespaceLimitReached', 'NamespaceLimitReached']);
  });

  it('that cannot be read changes nothing on the host', async () => {
    bench = await createControllerBench([vm(1)], { hostSpec: { namespaceLimit: 'lots' } });
    want('a', 1, '2Gi');
    await bench.reaches('HostUnknown', 'a');
    expect(bench.condition('Ready', 'a')?.message).toContain('spec.namespaceLimit');
  });

  it('with an agent that knows no such thing: nothing is plugged there, and what is to be brought to one version is said', async () => {
    bench = await createControllerBench([vm(1)], { hostSpec: { namespaceLimit: '8Gi' } });
    const { script } = bench.host();
    const unknown = { code: 'bad-request', message: 'namespaceLimit is not known' } as const;
    script.inject('plug', { kind: 'fail', error: unknown }, Infinity);
    want('a', 1, '2Gi');
    await bench.reaches('UnsupportedAgent', 'a');
    expect(total(1)).toBe(1);
  });
});
