/**
 * A fleet of simulated hosts behind HTTPS servers, in a process of its own so that its work is not counted as the
 * controller's. Guests online at once and let go at once: what is measured is not what they take. Prints a line of JSON with the
 * ports when all listen, another with what was asked so far for each line that it reads, and ends with its parent.
 */
import { createInterface } from 'node:readline';
import type { RunnableService } from '../../../src/agent/service.ts';
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

/** How often the hosts were asked for what, ever since they began; `groups`: for looks that came together. */
export type FleetCalls = { looks: number; groups: number; facts: number; lists: number; changes: number };

const calls: FleetCalls = { looks: 0, groups: 0, facts: 0, lists: 0, changes: 0 };
const counted = <A extends unknown[], R>(what: keyof FleetCalls, call: (...args: A) => R) => {
  return (...args: A): R => {
    calls[what] += 1;
    return call(...args);
  };
};
/** `service`, whose calls are counted. */
const withCounts = (service: RunnableService): RunnableService =>
  Object.defineProperties(
    {
      ...service,
      observe: counted('looks', service.observe.bind(service)),
      observeSome: counted('groups', service.observeSome.bind(service)),
      facts: counted('facts', service.facts.bind(service)),
      listDomains: counted('lists', service.listDomains.bind(service)),
      plug: counted('changes', service.plug.bind(service)),
      unplug: counted('changes', service.unplug.bind(service)),
    },
    { pendingOperations: { get: () => service.pendingOperations } },
  );

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
    ...{ onlineMs: 0, removalMs: 0 },
  });
  const parts = createServiceParts();
  const { port } = await serveFixture(withCounts(createSimulatedService(simulated, parts)), parts, pki);
  ports.push(port);
}
const client = await pki.pki.issue({ name: 'fleet-controller', uri: ['spiffe://dimmer.test/controller'] });
const ready: FleetReady = { ports, files: { ...client, caFile: pki.pki.caFile } };
process.stdout.write(`${JSON.stringify(ready)}\n`);
for await (const _ of createInterface(process.stdin)) process.stdout.write(`${JSON.stringify(calls)}\n`);
