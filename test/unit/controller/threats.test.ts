/** What those can and can't do who lie, or have got what isn't theirs: lines of SECURITY.md that no other test holds. */
import { afterEach, describe, expect, it } from 'vitest';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { plugRequest, valueOf } from '../../contract/bench.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

const domain: SimulatedDomainSpec = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
const neighbour: SimulatedDomainSpec = { uuid: '00000000-0000-4000-8000-000000000001', name: 'db-2', boot: gib(1) };

let bench: ControllerBench | undefined;
afterEach(() => bench?.close());

describe('an agent that lies', () => {
  it('and says that it runs a VM of another host stops nobody who names the host', async () => {
    bench = await createControllerBench([domain]);
    bench.addHost('hv-2', [domain]);
    bench.apply({ memory: '2Gi', hostRef: { name: 'hv-1' } });
    await bench.reaches('Converged');
    expect([bench.host().script.total(vmUuid), bench.host('hv-2').script.changes()]).toEqual([gib(2), []]);
  });

  it('is asked for nothing that runs elsewhere', async () => {
    bench = await createControllerBench([domain]);
    bench.addHost('hv-2', [neighbour]);
    bench.apply({ memory: '2Gi' });
    await bench.reaches('Converged');
    const { observe, plug, unplug, releaseClaim } = bench.host('hv-2').script.calls();
    expect({ observe, plug, unplug, releaseClaim }).toEqual({ observe: 0, plug: 0, unplug: 0, releaseClaim: 0 });
  });
});

describe('a guest that lies', () => {
  /** Two VMs of one host, which have a module each. */
  async function setUp(): Promise<ControllerBench> {
    const plugged = { modules: [{ size: gib(1) }] };
    bench = await createControllerBench([
      { ...domain, ...plugged, unplugBehaviour: 'refuse' },
      { ...neighbour, ...plugged },
    ]);
    return bench;
  }

  it('and says that it needs nothing is asked for memory, gives none, and keeps nobody else from getting some', async () => {
    const two = await setUp();
    two.host().script.setUsed(vmUuid, mib(0));
    two.apply({ memory: '1Gi' });
    two.apply({ memory: '3Gi', virtualMachine: { uuid: neighbour.uuid } }, 'other');
    await two.reaches('GuestRefused');
    await two.reaches('Converged', 'other');
    expect([two.host().script.total(vmUuid), two.host().script.total(neighbour.uuid)]).toEqual([gib(2), gib(3)]);
  });

  it('and says that it needs everything keeps what it has, gets no more, and keeps nobody else from giving some', async () => {
    const two = await setUp();
    two.host().script.setUsed(vmUuid, gib(2));
    two.apply({ memory: '1Gi' });
    two.apply({ memory: '1Gi', virtualMachine: { uuid: neighbour.uuid } }, 'other');
    await two.reaches('GuestMemoryInUse');
    await two.reaches('Converged', 'other');
    expect([two.host().script.total(vmUuid), two.host().script.total(neighbour.uuid)]).toEqual([gib(2), gib(1)]);
  });
});

describe('a tenant with many VMs', () => {
  it('has no more of a host than its limit, with all of them at once, and leaves the others theirs', async () => {
    const vms = [1, 2, 3, 4].map((number) => ({ ...neighbour, uuid: neighbour.uuid.replace(/1$/, `${number}`) }));
    bench = await createControllerBench([domain, ...vms], { hostSpec: { namespaceLimit: '6Gi' } });
    bench.namespace('bank');
    for (const { uuid } of vms) bench.apply({ memory: '16Gi', virtualMachine: { uuid } }, uuid);
    await bench.clock.advance(10_000);
    for (const { uuid } of vms) bench.apply({ memory: '4Gi' }, uuid);
    bench.apply({ memory: '6Gi' }, 'bank/db');
    await bench.reaches('Converged', 'bank/db');
    await bench.clock.advance(60_000);
    const { script } = bench.host();
    expect(vms.map(({ uuid }) => script.total(uuid) / gib(1)).sort()).toEqual([1, 1, 1, 4]);
    expect(script.total(vmUuid)).toBe(gib(6));
  });
});

describe('who has the key of a controller', () => {
  it('may leave a host without its reserve: that comes with the request', async () => {
    const host = createSimulatedHost({ clock: systemClock, domains: [domain] });
    const reserve = valueOf(await host.facts()).memory.total;
    const plug = async (hostReserve: typeof reserve) => {
      const { revision } = valueOf(await host.observe(vmUuid));
      return host.plug(vmUuid, revision, { ...plugRequest(0, gib(1)), hostReserve });
    };
    expect(await plug(reserve)).toMatchObject({ ok: false, error: { code: 'insufficient-host-memory' } });
    expect((await plug(mib(0))).ok).toBe(true);
  });

  it('may give a namespace more than its limit: that comes with the request', async () => {
    const host = createSimulatedHost({ clock: systemClock, domains: [domain] });
    const plug = async (limit: object) => {
      const { revision } = valueOf(await host.observe(vmUuid));
      return host.plug(vmUuid, revision, { ...plugRequest(0, gib(1)), ...limit });
    };
    expect(await plug({ namespaceLimit: gib(1) })).toMatchObject({ ok: false, error: { code: 'namespace-limit' } });
    expect((await plug({})).ok).toBe(true);
  });

  it('gives no VM more than the maximum of its definition', async () => {
    const host = createSimulatedHost({ clock: systemClock, domains: [{ ...domain, maxMemory: gib(2) }] });
    const { revision } = valueOf(await host.observe(vmUuid));
    const answer = await host.plug(vmUuid, revision, plugRequest(0, gib(1.5)));
    expect(answer).toMatchObject({ ok: false, error: { code: 'rejected' } });
  });
});
