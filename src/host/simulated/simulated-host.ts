/** A hypervisor host in memory, faithful to what libvirt and guests do (facts-libvirt), with scripted faults. */
import { type Bytes, bytes, gib, zeroBytes } from '../../memory/bytes.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type HostAnswer, hostError } from '../errors.ts';
import { fail, succeed } from '../../memory/result.ts';
import { Leaders } from '../leaders.ts';
import { isActiveState } from '../rules/boot.ts';
import { sumByHolder } from '../rules/namespace-limit.ts';
import type {
  DomainObservation,
  HostEvent,
  HostFacts,
  HostNode,
  HugepagePool,
  PersistRequest,
  PlugRequest,
  ReleaseRequest,
  UnplugRequest,
} from '../port.ts';
import { meetKept, type SimulatedChangeContext, plugSimulated, releaseSimulated, unplugSimulated } from './changes.ts';
import { createSimulatedDomain, type SimulatedDomainSpec } from './domain-spec.ts';
import { holdingOf, type SimulatedDomain, simulatedTotal } from './model.ts';
import { observeSimulatedDomain } from './observe.ts';
import { persistSimulated } from './stored.ts';
import type { SimulatedChange, SimulatedFault, SimulatedHost, SimulatedOperation } from './script.ts';
import { createScript, type ScriptContext } from './scripting.ts';

export type SimulatedHostOptions = {
  readonly clock: Clock;
  readonly domains?: readonly SimulatedDomainSpec[];
  /** Domains as another host held them, which has ended without their noticing; they win over `domains`. */
  readonly kept?: readonly SimulatedDomain[];
  /** Distinguishes runtime ids of several hosts. Default `simulated`. */
  readonly id?: string;
  /** Host memory. Default 256 GiB. */
  readonly totalMemory?: Bytes;
  /** Host nodes with their huge pages. Default: one node with all memory, no huge pages. */
  readonly nodes?: readonly HostNode[];
  /** Default: none reserved, none on demand. */
  readonly hugepagePools?: readonly HugepagePool[];
  /** How long an accepting guest takes to give a module up, milliseconds. Default 50. */
  readonly removalMs?: number;
  /** How long a guest takes to online a new module, milliseconds. Default 100. */
  readonly onlineMs?: number;
};

/** More than any test makes; an agent with a simulated driver may run for weeks. */
const maxChanges = 10_000;

const timedOut = () => fail(hostError('timeout', 'The simulated host did the work but its answer was lost'));

/**
 * A {@link SimulatedHost} that holds `domains`. Everything happens at once unless a fault says otherwise; only what
 * guests do takes time, by `clock`.
 */
export function createSimulatedHost(options: SimulatedHostOptions): SimulatedHost {
  const { clock } = options;
  const id = options.id ?? 'simulated';
  const totalMemory = options.totalMemory ?? gib(256);
  const domains = new Map<string, SimulatedDomain>();
  for (const spec of options.domains ?? []) domains.set(spec.uuid, createSimulatedDomain(spec, clock.now()));
  for (const domain of options.kept ?? []) domains.set(domain.uuid, domain);

  const leaders = new Leaders();
  const listeners = new Set<(event: HostEvent) => void>();
  let newest = 0;
  const idOf = (number: number): string => `${id}-${number}`;
  const emit = (event: HostEvent): void => {
    newest += 1;
    const told = 'uuid' in event ? { ...event, id: idOf(newest) } : event;
    for (const listener of listeners) listener(told);
  };
  const changes: SimulatedChange[] = [];
  const faults: { operation: SimulatedOperation; fault: SimulatedFault; times: number }[] = [];
  const calls: Record<SimulatedOperation, number> = {
    facts: 0,
    listDomains: 0,
    observe: 0,
    plug: 0,
    unplug: 0,
    persist: 0,
    releaseClaim: 0,
  };
  const settings = {
    agentVersion: 'simulated',
    reachable: true,
    available: null as Bytes | null,
    attachProblem: null as string | null,
    storeProblem: null as string | null,
    storeWrites: 0,
    tells: true,
  };

  const facts = (): HostFacts => {
    const active = [...domains.values()].filter((domain) => isActiveState(domain.state));
    const committed = active.reduce((sum, domain) => sum + simulatedTotal(domain), 0);
    const available = settings.available ?? bytes(Math.max(zeroBytes, totalMemory - committed));
    return {
      agentVersion: settings.agentVersion,
      libvirtVersion: 'simulated',
      hypervisorVersion: 'simulated',
      memory: { total: totalMemory, available, committed: bytes(committed) },
      nodes: options.nodes ?? [{ id: 0, total: totalMemory, available, hugepages: [] }],
      hugepagePools: options.hugepagePools ?? [],
      virtualMachines: domains.size,
      virtualMachinesWithoutOwner: active.filter(({ ownerNamespace }) => ownerNamespace === null).length,
      namespaces: sumByHolder(active.map(holdingOf)),
    };
  };

  const change: SimulatedChangeContext = {
    clock,
    facts,
    emit,
    record: (entry) => {
      changes.push(entry);
      if (changes.length > maxChanges) changes.shift();
    },
    observe: (domain) => ({ ...observeSimulatedDomain(domain, id, clock.now()), asOfEvent: idOf(newest) }),
    isHere: (domain, run) => domains.get(domain.uuid) === domain && domain.run === run && isActiveState(domain.state),
    attachProblem: () => settings.attachProblem,
    storeProblem: () => settings.storeProblem,
    stored: () => {
      settings.storeWrites += 1;
    },
    removalMs: options.removalMs ?? 50,
    onlineMs: options.onlineMs ?? 100,
  };
  for (const domain of options.kept ?? []) meetKept(change, domain);

  const takeFault = (operation: SimulatedOperation): SimulatedFault | null => {
    const index = faults.findIndex((entry) => entry.operation === operation);
    const entry = faults[index];
    if (entry === undefined) return null;
    entry.times -= 1;
    if (entry.times <= 0) faults.splice(index, 1);
    return entry.fault;
  };

  /** Runs `act` as one call of `operation`, with the fault that is due. */
  async function call<T>(operation: SimulatedOperation, act: () => HostAnswer<T>): Promise<HostAnswer<T>> {
    calls[operation] += 1;
    await Promise.resolve();
    if (!settings.reachable) return fail(hostError('unreachable', 'The simulated host is down'));
    const fault = takeFault(operation);
    switch (fault?.kind) {
      case undefined:
        return act();
      case 'answer-late': {
        const answer = act();
        return new Promise((resolve) => clock.after(fault.ms, () => resolve(answer)));
      }
      case 'lose-answer':
        act();
        return timedOut();
      case 'act-late':
        clock.after(fault.ms, act);
        return timedOut();
      case 'lose-request':
        return fail(hostError('unreachable', 'The simulated host did not get the request'));
      case 'hang':
        return new Promise((resolve) =>
          clock.after(fault.ms, () => resolve(fail(hostError('timeout', 'The simulated host did not answer in time')))),
        );
      case 'fail':
        return fail(fault.error);
    }
  }

  const withDomain = <T>(uuid: string, act: (domain: SimulatedDomain) => HostAnswer<T>): HostAnswer<T> => {
    const domain = domains.get(uuid);
    return domain === undefined ? fail(hostError('not-found', `There is no VM ${uuid}`)) : act(domain);
  };

  const led = <T extends object>(
    { leader }: PlugRequest | UnplugRequest | PersistRequest | ReleaseRequest,
    act: () => HostAnswer<T>,
  ): HostAnswer<T> => {
    const admitted = leaders.admit(leader);
    if (!admitted.ok) return admitted;
    const answer = act();
    if (settings.tells || !answer.ok) return answer;
    const { observation: _, ...untold }: T & { readonly observation?: DomainObservation } = answer.value;
    return succeed(untold as T);
  };

  const scripting: ScriptContext = {
    clock,
    domains,
    emit,
    changes,
    calls,
    faults,
    settings,
    record: change.record,
    isHere: change.isHere,
  };

  return {
    script: createScript(scripting),
    facts: () => call('facts', () => succeed(facts())),
    listDomains: () =>
      call('listDomains', () => succeed([...domains.values()].map(({ uuid, name, state }) => ({ uuid, name, state })))),
    observe: (uuid) => call('observe', () => withDomain(uuid, (domain) => succeed(change.observe(domain)))),
    plug: (uuid, revision, request) =>
      call('plug', () =>
        withDomain(uuid, (domain) => led(request, () => plugSimulated(change, domain, revision, request))),
      ),
    unplug: (uuid, revision, request) =>
      call('unplug', () =>
        withDomain(uuid, (domain) => led(request, () => unplugSimulated(change, domain, revision, request))),
      ),
    persist: (uuid, revision, request) =>
      call('persist', () =>
        withDomain(uuid, (domain) => led(request, () => persistSimulated(change, domain, revision, request))),
      ),
    releaseClaim: (uuid, revision, request) =>
      call('releaseClaim', () =>
        withDomain(uuid, (domain) => led(request, () => releaseSimulated(change, domain, revision, request))),
      ),
    watch(listener, leadership) {
      listeners.add(listener);
      queueMicrotask(() => {
        if (!listeners.has(listener)) return;
        const leader = leadership?.current() ?? undefined;
        const admitted = leaders.admit(leader);
        if (!admitted.ok) leadership?.refused(admitted.error.newestEpoch);
        listener(settings.reachable ? { kind: 'reset' } : { kind: 'lost', error: 'The simulated host is down' });
      });
      return () => listeners.delete(listener);
    },
    close() {
      listeners.clear();
      return Promise.resolve();
    },
  };
}
