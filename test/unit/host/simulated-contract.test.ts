import { vi } from 'vitest';
import { describeHostContract } from '../../contract/host-contract.ts';
import { benchOfSimulated, createContractHost } from '../../contract/simulated-bench.ts';

vi.setConfig({ maxConcurrency: 40 });

describeHostContract('simulated host', () => {
  const host = createContractHost();
  return Promise.resolve(benchOfSimulated(host, host, () => host.close()));
});
