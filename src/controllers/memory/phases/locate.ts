/** Finding the virtual machine: on which host, and which copy of it when there are several. */
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import type { HostError } from '../../../host/errors.ts';
import type { DomainObservation, DomainState } from '../../../host/port.ts';
import { isOpenTo, judgeHostUse, type NamespaceLabels } from '../../shared/entitlement.ts';
import type { HostDirectory, HostEntry } from '../../shared/host-directory.ts';
import { explainHostError } from '../../shared/explain-host-error.ts';
import type { Turn } from '../../../runtime/work-queue.ts';
import type { Problem } from '../types.ts';

export type Location =
  | { readonly kind: 'found'; readonly entry: HostEntry; readonly observation: DomainObservation }
  | { readonly kind: 'problem'; readonly problem: Problem };

/** Where to look: the hosts that the namespace may use. */
export type LocateContext = Pick<Turn, 'urgency' | 'signal' | 'looks'> & {
  readonly hosts: HostDirectory;
  readonly namespaceLabels: (namespace: string) => NamespaceLabels;
  /** What the answer of the last change says of a machine on a host; null, or left out: look. */
  readonly answered?: Answers | undefined;
};
type Answers = (entry: HostEntry, uuid: string) => DomainObservation | null;

const problem = (found: Problem): Location => ({ kind: 'problem', problem: found });

/** "Refused" and "missing" give the same answer to a tenant: a name must not leak what exists. */
export const notFoundProblem = (what: string): Problem => ({
  reason: 'VMNotFoundOrNotAllowed',
  message: `${what} was found on no host that this namespace may use; check spec.virtualMachine, and ask the cluster's admin which hosts the namespace may use`,
  retry: false,
});

/** The virtual machine as the resource itself calls it. */
export const describeMachine = ({ uuid, name }: VirtualMachineMemory['spec']['virtualMachine']): string =>
  uuid === undefined ? `VM '${name ?? ''}'` : `VM ${uuid}`;

/** Who asks: messages call the machine as it does, and copies that aren't open to it aren't there. */
type Asker = Pick<LocateContext, 'urgency' | 'signal' | 'looks' | 'answered'> & {
  readonly namespace: string;
  readonly what: string;
};

/** Finds the virtual machine of `resource`. Changes nothing. */
export async function locate(resource: VirtualMachineMemory, context: LocateContext): Promise<Location> {
  const { hosts } = context;
  const { namespace } = resource.metadata;
  const labels = context.namespaceLabels(namespace);
  const isAllowed = (entry: HostEntry): boolean =>
    judgeHostUse(entry.resource.spec.allowedNamespaces, labels) === 'entitled';

  const { hostRef, virtualMachine } = resource.spec;
  const { urgency, signal, looks, answered } = context;
  const asker = { namespace, what: describeMachine(virtualMachine), urgency, signal, looks, answered };
  if (hostRef !== undefined) {
    const entry = hosts.get(hostRef.name);
    if (entry === undefined || !isAllowed(entry)) {
      return problem({
        reason: 'HostUnknown',
        message: `there is no HypervisorHost ${hostRef.name} that namespace ${namespace} may use; check spec.hostRef`,
        retry: false,
      });
    }
    if (virtualMachine.uuid !== undefined) return observeOn(entry, virtualMachine.uuid, asker);
    return locateByName(entry, virtualMachine.name ?? '', asker);
  }
  return locateByUuid(hosts.list().filter(isAllowed), virtualMachine.uuid ?? '', asker);
}

function explainUnobserved(error: HostError, entry: HostEntry, { what }: Asker): Problem {
  if (error.code === 'not-found') return notFoundProblem(what);
  // The agent names the machine, which may be another's: whose it is can't be read.
  if (error.code === 'claimed-by-other') {
    return {
      reason: 'ClaimedByOther',
      message: `what is kept in the metadata of ${what} can't be read, so nobody knows whose it is; 'dimmer agent check' on its host says what is wrong`,
      retry: false,
      adminDetail: error.message,
    };
  }
  return { ...explainHostError(error, entry.name), hostName: entry.name };
}

async function observeOn(entry: HostEntry, uuid: string, asker: Asker): Promise<Location> {
  // Asked beside the observation, so that planning needn't wait for it; the entry keeps the answer.
  void entry.facts();
  // In this moment: what is heard later may be more than that shows.
  const known = asker.answered?.(entry, uuid) ?? null;
  asker.looks();
  if (known !== null) return { kind: 'found', entry, observation: known };
  const answer = await entry.line.as(asker.urgency, asker.signal).observe(uuid);
  if (answer.ok) return { kind: 'found', entry, observation: answer.value };
  return problem(explainUnobserved(answer.error, entry, asker));
}

async function locateByName(entry: HostEntry, name: string, asker: Asker): Promise<Location> {
  const domains = await entry.domains(asker.signal);
  if (!domains.ok) return problem({ ...explainHostError(domains.error, entry.name), hostName: entry.name });
  const found = [...domains.value.values()].find((domain) => domain.name === name);
  return found === undefined ? problem(notFoundProblem(asker.what)) : observeOn(entry, found.uuid, asker);
}

const hasProcess = (state: DomainState): boolean => state !== 'ShutOff' && state !== 'Crashed';

async function locateByUuid(entries: readonly HostEntry[], uuid: string, asker: Asker): Promise<Location> {
  const copies: HostEntry[] = [];
  let silent: Problem | null = null;
  for (const { entry, domains } of await listHosts(entries, uuid, asker)) {
    if (!domains.ok) silent ??= { ...explainHostError(domains.error, entry.name), hostName: entry.name };
    else if (domains.value.has(uuid)) copies.push(entry);
  }

  const [entry, ...others] = copies;
  if (entry === undefined) {
    // "Not found" is concluded only when every host answered.
    return silent === null
      ? problem(notFoundProblem(asker.what))
      : problem({ ...silent, message: `VM ${uuid} was not found yet, and not every host answers: ${silent.message}` });
  }
  const location = others.length > 0 ? await chooseCopy(copies, uuid, asker) : await observeOn(entry, uuid, asker);
  // What we had cached is out of date; the next look asks the host.
  if (location.kind === 'problem') for (const copy of copies) copy.forgetDomains();
  return location;
}

/**
 * What the hosts run. Where one of them has the machine, those that take their time are taken by what they said before: a
 * host that doesn't answer can hide a new copy in any case, and must hold up nobody who is elsewhere.
 */
async function listHosts(entries: readonly HostEntry[], uuid: string, { signal }: Asker) {
  const soon = await Promise.all(entries.map(async (entry) => ({ entry, domains: await entry.domainsSoon(signal) })));
  if (soon.some(({ domains }) => domains.ok && domains.value.has(uuid))) return soon;
  return Promise.all(
    soon.map(async ({ entry, domains }) => ({ entry, domains: domains.ok ? await entry.domains(signal) : domains })),
  );
}

/** Of several copies the one that runs. A migration explains two of those; else nothing is touched. */
async function chooseCopy(entries: readonly HostEntry[], uuid: string, asker: Asker): Promise<Location> {
  asker.looks();
  const answers = await Promise.all(
    entries.map(async (entry) => ({ entry, answer: await entry.line.as(asker.urgency, asker.signal).observe(uuid) })),
  );
  const copies: Extract<Location, { kind: 'found' }>[] = [];
  for (const { entry, answer } of answers) {
    // While a host doesn't say whose its copy is, none is chosen.
    if (!answer.ok && answer.error.code !== 'not-found') return problem(explainUnobserved(answer.error, entry, asker));
    if (!answer.ok) continue;
    const observation = answer.value;
    // A copy of others neither hides nor blocks one's own.
    if (isOpenTo(asker.namespace, { host: entry.resource.spec, observation })) {
      copies.push({ kind: 'found', entry, observation });
    }
  }
  const running = copies.filter(({ observation }) => hasProcess(observation.state));
  const [copy, ...others] = running.length > 0 ? running : copies;
  if (copy === undefined) return problem(notFoundProblem(asker.what));
  if (others.length === 0) {
    // Asked for planning, as in observeOn.
    void copy.entry.facts();
    return copy;
  }
  const among = [copy, ...others];
  const names = among.map(({ entry }) => entry.name).join(', ');
  if (among.some(({ observation }) => observation.migrating)) {
    return problem({ reason: 'VMMigrating', message: `VM ${uuid} is migrating between ${names}`, retry: true });
  }
  return problem({
    reason: 'AmbiguousVM',
    message: `VM ${uuid} is ${running.length > 0 ? 'running' : 'defined'} on several hosts: ${names}; remove the wrong one or set spec.hostRef`,
    retry: false,
  });
}
