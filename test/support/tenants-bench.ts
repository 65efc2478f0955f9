/** Two namespaces and one VM: what tests of who may have it begin with. */
import type { SimulatedDomainSpec } from '../../src/host/simulated/domain-spec.ts';
import { gib } from '../../src/memory/bytes.ts';
import { type ControllerBench, createControllerBench, vmUuid } from './controller-bench.ts';

export const domain: SimulatedDomainSpec = { uuid: vmUuid, name: 'db-1', boot: gib(1) };
export const gold = { from: 'Selector', selector: { matchLabels: { tier: 'gold' } } } as const;
/** Open to whoever isn't forbidden it by a label. */
export const notQuarantined = {
  from: 'Selector',
  selector: { matchExpressions: [{ key: 'quarantine', operator: 'DoesNotExist' }] },
} as const;

/** `tenants` has a right to hv-1, `rivals` is there and has none. */
export async function createTenantsBench(domains: readonly SimulatedDomainSpec[] = [domain]): Promise<ControllerBench> {
  const bench = await createControllerBench(domains, { hostSpec: { allowedNamespaces: gold } });
  bench.namespace('tenants', { tier: 'gold' });
  bench.namespace('rivals', {});
  return bench;
}

/** What a resource and its events say, all of it. */
export const saidTo = (bench: ControllerBench, name: string): string =>
  JSON.stringify([bench.status(name), bench.events.events.filter(({ key }) => key === name)]);
