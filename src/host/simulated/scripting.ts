/** The script of a simulated host, carried out. */
import { type Bytes, zeroBytes } from '../../memory/bytes.ts';
import { emptyOperationState } from '../../memory/operation-state.ts';
import { recordChange, removeSimulated } from './changes.ts';
import { meetDomain, removeModule, type ReportContext, takeReport, tellReport } from './guest.ts';
import { createSimulatedDomain } from './domain-spec.ts';
import { addModule, onlinedOf, settledMarks, type SimulatedDomain, simulatedTotal } from './model.ts';
import { startFromStored } from './stored.ts';
import type { SimulatedChange, SimulatedFault, SimulatedOperation, SimulationScript } from './script.ts';

/** The parts of a simulated host that its script changes. */
export type ScriptContext = ReportContext & {
  readonly domains: Map<string, SimulatedDomain>;
  readonly record: (change: SimulatedChange) => void;
  readonly changes: readonly SimulatedChange[];
  readonly calls: Readonly<Record<SimulatedOperation, number>>;
  readonly faults: { operation: SimulatedOperation; fault: SimulatedFault; times: number }[];
  readonly settings: {
    agentVersion: string;
    reachable: boolean;
    available: Bytes | null;
    attachProblem: string | null;
    storeProblem: string | null;
    storeWrites: number;
    tells: boolean;
  };
};

/** The script that acts on `context`. */
export function createScript(context: ScriptContext): SimulationScript {
  const { clock, domains, emit, settings } = context;
  const find = (uuid: string): SimulatedDomain => {
    const domain = domains.get(uuid);
    if (domain === undefined) throw new RangeError(`the simulated host has no domain ${uuid}`);
    return domain;
  };
  const moduleIn = (domain: SimulatedDomain, slot: number) => {
    const module = domain.modules.find((candidate) => candidate.slot === slot);
    if (module === undefined) throw new RangeError(`domain ${domain.name} has no module in slot ${slot}`);
    return module;
  };
  const lifecycle = (uuid: string): void => emit({ kind: 'lifecycle', uuid });
  const boot = (domain: SimulatedDomain): void => {
    domain.bootedAtMs = clock.now();
    domain.report = null;
    domain.pausedAtMs = null;
    domain.silentSinceMs = null;
  };

  return {
    clearFaults() {
      context.faults.length = 0;
    },
    inject(operation, fault, times = 1) {
      context.faults.push({ operation, fault, times });
    },
    setReachable(reachable) {
      settings.reachable = reachable;
      emit(reachable ? { kind: 'reset' } : { kind: 'lost', error: 'The simulated host is down' });
    },
    restartAgent(version = settings.agentVersion) {
      settings.agentVersion = version;
      emit({ kind: 'lost', error: 'The simulated agent restarts' });
      for (const domain of domains.values()) {
        for (const module of domain.modules) module.refusedAtMs = null;
        meetDomain(domain, clock.now());
        domain.misplaced = null;
      }
      emit({ kind: 'reset' });
    },
    setAvailable(available) {
      settings.available = available;
    },
    setAttachProblem(problem) {
      settings.attachProblem = problem;
    },
    setStoreProblem(problem) {
      settings.storeProblem = problem;
    },
    setStored(uuid, stored) {
      const domain = find(uuid);
      const { boot, maxMemory, slots } = domain;
      domain.stored =
        stored === null ? null : { ...(domain.stored ?? { boot, maxMemory, slots, modules: [] }), ...stored };
      lifecycle(uuid);
    },
    setSaysStored(uuid, saysStored) {
      find(uuid).saysStored = saysStored;
    },
    storeWrites: () => settings.storeWrites,
    setTells(tells) {
      settings.tells = tells;
    },
    addDomain(spec) {
      domains.set(spec.uuid, createSimulatedDomain(spec, clock.now()));
      lifecycle(spec.uuid);
    },
    setUnplugBehaviour(uuid, slots, behaviour, options) {
      const domain = find(uuid);
      const times = options?.times ?? Infinity;
      if (slots !== 'all') {
        for (const slot of slots) domain.slotBehaviour.set(slot, { behaviour, times });
        return;
      }
      domain.slotBehaviour.clear();
      if (times === Infinity) domain.behaviour = behaviour;
      else for (let slot = 0; slot < domain.slots; slot += 1) domain.slotBehaviour.set(slot, { behaviour, times });
    },
    letGo(uuid, slot) {
      const domain = find(uuid);
      const leaving = domain.operations.marks.some((mark) => mark.slot === slot && mark.phase === 'leaving');
      if (!leaving) throw new RangeError(`the module in slot ${slot} of ${domain.name} was not asked to leave`);
      removeSimulated(context, domain, moduleIn(domain, slot));
    },
    setUsed(uuid, used) {
      const domain = find(uuid);
      takeReport(domain, clock.now());
      domain.used = used;
      tellReport(context, domain, clock.now());
    },
    setInflated(uuid, held) {
      const domain = find(uuid);
      takeReport(domain, clock.now());
      domain.inflated = held;
      // libvirt tells of the balloon at once, the guest when it next reports.
      context.emit({ kind: 'statistics', uuid });
      tellReport(context, domain, clock.now());
    },
    setHidden(uuid, hidden) {
      find(uuid).hidden = hidden;
      lifecycle(uuid);
    },
    setSaysSince(uuid, saysSince) {
      find(uuid).saysSince = saysSince;
    },
    setLate(uuid, late) {
      const domain = find(uuid);
      takeReport(domain, clock.now());
      domain.silentSinceMs = late ? clock.now() : null;
      if (!late) tellReport(context, domain, clock.now());
    },
    setReports(uuid, reports) {
      find(uuid).reports = reports;
      emit({ kind: 'statistics', uuid });
    },
    setGuestAgent(uuid, word) {
      find(uuid).guestAgent = word;
      emit({ kind: 'statistics', uuid });
    },
    setOnlines(uuid, onlines) {
      find(uuid).onlines = onlines === true ? 'all' : onlines === false ? zeroBytes : onlines;
    },
    onlineAll(uuid) {
      const domain = find(uuid);
      takeReport(domain, clock.now());
      for (const module of domain.modules) {
        module.onlines = module.size;
        module.onlineAtMs = Math.min(module.onlineAtMs, clock.now());
      }
      tellReport(context, domain, clock.now());
    },
    plugByHand(uuid, module) {
      const domain = find(uuid);
      const alias = module.alias ?? `dimm${module.slot}`;
      addModule(domain, { ...module, node: module.node ?? 0, alias, onlineAtMs: clock.now() });
      domain.modulesChangedAtMs = clock.now();
      recordChange(context, domain, 'plugged-by-hand', module);
      emit({ kind: 'module-added', uuid });
    },
    unplugByHand(uuid, slot) {
      const domain = find(uuid);
      const module = moduleIn(domain, slot);
      removeModule(domain, module, clock.now());
      recordChange(context, domain, 'unplugged-by-hand', module);
      emit({ kind: 'module-removed', uuid });
    },
    reset(uuid) {
      const domain = find(uuid);
      boot(domain);
      // It takes them up anew.
      for (const module of domain.modules) {
        module.onlines = onlinedOf(domain, module);
        module.onlineAtMs = Math.min(module.onlineAtMs, clock.now());
      }
      const nowMs = clock.now();
      domain.operations = { ...domain.operations, marks: settledMarks(domain, nowMs, nowMs) };
      lifecycle(uuid);
    },
    shutDown(uuid) {
      const domain = find(uuid);
      domain.state = 'ShutOff';
      domain.modules = [];
      domain.operations = emptyOperationState;
      if (domain.stored === null) domains.delete(uuid);
      lifecycle(uuid);
    },
    start(uuid) {
      const domain = find(uuid);
      startFromStored(domain, clock.now());
      domain.state = 'Running';
      domain.run += 1;
      domain.departures = [];
      boot(domain);
      lifecycle(uuid);
    },
    pause(uuid) {
      const domain = find(uuid);
      domain.state = 'Paused';
      domain.pausedAtMs = clock.now();
      lifecycle(uuid);
    },
    resume(uuid) {
      const domain = find(uuid);
      domain.state = 'Running';
      domain.pausedAtMs = null;
      lifecycle(uuid);
      tellReport(context, domain, clock.now());
    },
    setOwner(uuid, namespace) {
      find(uuid).ownerNamespace = namespace;
      lifecycle(uuid);
    },
    setMigrating(uuid, migrating) {
      find(uuid).migrating = migrating;
      lifecycle(uuid);
    },
    depart(uuid) {
      const domain = find(uuid);
      domains.delete(uuid);
      lifecycle(uuid);
      return domain;
    },
    arrive(domain) {
      // A copy: timers of the host it left must not find it.
      const arrived: SimulatedDomain = {
        ...domain,
        run: domain.run + 1,
        migrating: false,
        misplaced: null,
      };
      meetDomain(arrived, clock.now());
      domains.set(domain.uuid, arrived);
      lifecycle(domain.uuid);
    },
    emit,
    domain: find,
    total: (uuid) => simulatedTotal(find(uuid)),
    changes: () => [...context.changes],
    calls: () => ({ ...context.calls }),
  };
}
