import { describeHostContract } from '../../contract/host-contract.ts';
import { benchOfSimulated, createContractHost } from '../../contract/simulated-bench.ts';

describeHostContract('simulated host', () => {
  const host = createContractHost();
  return Promise.resolve(benchOfSimulated(host, host, () => host.close()));
});
