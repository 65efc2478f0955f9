/**
 * A fleet of simulated hosts behind HTTPS servers, in a process of its own so that its work is not counted as the
 * controller's. Prints a line of JSON with the ports when all listen, and ends with its parent.
 */
import { mib } from '../../../src/memory/bytes.ts';
import { createSimulatedService } from '../../../src/drivers/simulated/service.ts';
import { memoryForNumbered, uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { createSimulatedHost } from '../../../src/host/simulated/simulated-host.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createAgentPki, createServiceParts, serveFixture } from '../../integration/agent/agent-fixture.ts';

/** What a fleet is made from, as JSON in the first argument. */
export type FleetOrder = {
  /** Where certificates are made. */
  readonly directory: string;
  readonly hosts: number;
  readonly vmsPerHost: number;
};

/** What a fleet says when it is ready. */
export type FleetReady = {
  readonly ports: readonly number[];
  /** Of the controller, for whom the agents listen. */
  readonly files: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
};

const order = JSON.parse(process.argv[2] ?? '') as FleetOrder;
const pki = await createAgentPki(order.directory);
const ports: number[] = [];
for (let host = 0; host < order.hosts; host += 1) {
  const first = host * order.vmsPerHost + 1;
  const last = first + order.vmsPerHost - 1;
  const domains = Array.from({ length: order.vmsPerHost }, (_, index) => {
    const number = first + index;
    return { uuid: uuidOfNumber(number), name: `vm-${number}`, boot: mib(1024) };
  });
  const simulated = createSimulatedHost({
    ...{ clock: systemClock, domains, totalMemory: memoryForNumbered({ first, last }), id: `fleet-${host}` },
  });
  const parts = createServiceParts();
  const { port } = await serveFixture(createSimulatedService(simulated, parts), parts, pki);
  ports.push(port);
}
const client = await pki.pki.issue({ name: 'fleet-controller', uri: ['spiffe://dimmer.test/controller'] });
const ready: FleetReady = { ports, files: { ...client, caFile: pki.pki.caFile } };
process.stdout.write(`${JSON.stringify(ready)}\n`);
