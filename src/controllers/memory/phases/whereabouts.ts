/** Where the virtual machine is: on which host, and which copy of it when there are several. */
import { findCondition } from '../../../api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../../api/v1alpha1/virtual-machine-memory.ts';
import type { HostError } from '../../../host/errors.ts';
import type { DomainObservation, DomainState } from '../../../host/port.ts';
import { orAborted } from '../../../runtime/or-aborted.ts';
import type { Turn } from '../../../runtime/work-queue.ts';
import { isOpenTo, judgeHostUse, type NamespaceLabels } from '../../shared/entitlement.ts';
import { explainHostError } from '../../shared/explain-host-error.ts';
import type { HostDirectory } from '../../shared/host-directory.ts';
import type { HostEntry } from '../../shared/host-entry.ts';
import { type Problem, stopped, type Stopped } from '../types.ts';
import type { Reason } from '../../../api/v1alpha1/reasons.ts';

/** Where to look: the hosts that the namespace may use. */
export type WhereContext = Pick<Turn, 'urgency' | 'signal' | 'looks' | 'aside'> & {
  readonly hosts: HostDirectory;
  readonly namespaceLabels: (namespace: string) => NamespaceLabels;
  /** What the answer of the last change says of a machine on a host; null, or left out: look. */
  readonly answered?: ((entry: HostEntry, uuid: string) => DomainObservation | null) | undefined;
};

/** What came of a look. */
export type Seen =
  | { readonly kind: 'found'; readonly entry: HostEntry; readonly observation: DomainObservation }
  | Stopped
  /** Its host had said that it has it, and hasn't any more: to be found anew. */
  | { readonly kind: 'gone' };

/** Who asks: messages call the machine as it does, and copies that aren't open to it aren't there. */
type Asker = Pick<WhereContext, 'urgency' | 'signal' | 'looks' | 'answered'> & {
  readonly namespace: string;
  readonly what: string;
};

/**
 * Where the machine is, by what the hosts say they run; it was not observed yet, unless it had to be to know that.
 * `place`: the host that a problem is about; null: none, or several.
 */
export type Whereabouts =
  | { readonly kind: 'at'; readonly entry: HostEntry; readonly observe: () => Promise<Seen> }
  | { readonly kind: 'nowhere'; readonly problem: Problem; readonly place: HostEntry | null };

const nowhere = (found: Problem, place: HostEntry | null = null): Whereabouts => ({
  kind: 'nowhere',
  problem: found,
  place,
});

/** So often a host may say that it has a machine, and not have it when it is looked at. */
export const maxLooks = 3;

const notFoundReason = 'VMNotFoundOrNotAllowed' satisfies Reason;

/** "Refused" and "missing" give the same answer to a tenant: a name must not leak what exists. */
export const notFoundProblem = (what: string): Problem => ({
  reason: notFoundReason,
  message: `${what} was found on no host that this namespace may use; check spec.virtualMachine, and ask the cluster's admin which hosts the namespace may use`,
  retry: false,
});

/** The virtual machine as the resource itself calls it. */
export const describeMachine = ({ uuid, name }: VirtualMachineMemory['spec']['virtualMachine']): string =>
  uuid === undefined ? `VM '${name ?? ''}'` : `VM ${uuid}`;

/** Finds where the virtual machine of `resource` is. Changes nothing. */
export async function findWhereabouts(resource: VirtualMachineMemory, context: WhereContext): Promise<Whereabouts> {
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
      const message = `there is no HypervisorHost ${hostRef.name} that namespace ${namespace} may use; check spec.hostRef`;
      return nowhere({ reason: 'HostUnknown', message, retry: false }, entry ?? null);
    }
    const { uuid, name = '' } = virtualMachine;
    const observe = () => (uuid === undefined ? locateByName(entry, name, asker) : observeOn(entry, uuid, asker));
    return { kind: 'at', entry, observe };
  }
  return findByUuid(hosts.list().filter(isAllowed), resource, asker, context);
}

function explainUnobserved(error: HostError, entry: HostEntry, { what }: Asker): Problem {
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

async function observeOn(entry: HostEntry, uuid: string, asker: Asker): Promise<Seen> {
  const seen = await observeListed(entry, uuid, asker);
  return seen.kind === 'gone' ? stopped(notFoundProblem(asker.what)) : seen;
}

/** As {@link observeOn}, of a machine that the host has said it has: it may have left since. */
async function observeListed(entry: HostEntry, uuid: string, asker: Asker): Promise<Seen> {
  // Asked beside the observation, so that planning needn't wait for it; the entry keeps the answer.
  void entry.facts();
  // In this moment: what is heard later may be more than that shows.
  const known = asker.answered?.(entry, uuid) ?? null;
  asker.looks();
  if (known !== null) return { kind: 'found', entry, observation: known };
  const answer = await entry.line.as(asker.urgency, asker.signal).observe(uuid);
  if (answer.ok) return { kind: 'found', entry, observation: answer.value };
  return answer.error.code === 'not-found' ? { kind: 'gone' } : stopped(explainUnobserved(answer.error, entry, asker));
}

async function locateByName(entry: HostEntry, name: string, asker: Asker): Promise<Seen> {
  const domains = await entry.domains(asker.signal);
  if (!domains.ok) return stopped({ ...explainHostError(domains.error, entry.name), hostName: entry.name });
  const found = [...domains.value.values()].find((domain) => domain.name === name);
  return found === undefined ? stopped(notFoundProblem(asker.what)) : observeOn(entry, found.uuid, asker);
}

const hasProcess = (state: DomainState): boolean => state !== 'ShutOff' && state !== 'Crashed';

async function findByUuid(
  entries: readonly HostEntry[],
  resource: VirtualMachineMemory,
  asker: Asker,
  context: WhereContext,
  look = 0,
): Promise<Whereabouts> {
  const { aside, hosts, signal } = context;
  const uuid = resource.spec.virtualMachine.uuid ?? '';
  let { copies, silent } = await findCopies(entries, uuid, asker);
  if (copies.length === 0 && silent.length === 0 && !isKnownMissing(resource)) {
    // What was heard of two hosts is of two moments: between them it may have migrated from one to the other.
    await aside(() => orAborted(hosts.forgetAllDomains(), signal, () => undefined));
    ({ copies, silent } = await findCopies(entries, uuid, asker));
  }
  const [entry, ...others] = copies;
  if (entry === undefined) {
    const lastSeen = silent.find(({ place }) => place.name === resource.status?.hostName) ?? null;
    const [said = null] = lastSeen === null ? silent : [lastSeen];
    // "Not found" is concluded only when every host answered.
    if (said === null) return nowhere(notFoundProblem(asker.what));
    const message = `VM ${uuid} was not found yet, and not every host answers: ${said.problem.message}`;
    return nowhere({ ...said.problem, message }, lastSeen?.place);
  }
  // What we had cached is out of date; the next look asks the host.
  const checked = (seen: Seen): Seen => {
    if (seen.kind !== 'found') for (const copy of copies) copy.forgetDomains();
    return seen;
  };
  if (others.length === 0) {
    return { kind: 'at', entry, observe: async () => checked(await observeListed(entry, uuid, asker)) };
  }
  const chosen = checked(await chooseCopy(copies, uuid, asker));
  if (chosen.kind === 'gone') {
    return look < maxLooks
      ? findByUuid(entries, resource, asker, context, look + 1)
      : nowhere(notFoundProblem(asker.what));
  }
  if (chosen.kind === 'problem') return nowhere(chosen.problem);
  return { kind: 'at', entry: chosen.entry, observe: () => Promise.resolve(chosen) };
}

/** It was told before that it is nowhere: should it come, an event says so. */
const isKnownMissing = ({ status, metadata }: VirtualMachineMemory): boolean =>
  status?.observedGeneration === metadata.generation &&
  findCondition(status.conditions, 'Ready')?.reason === notFoundReason;

/** The hosts that have the machine, and what those say that don't answer. */
async function findCopies(entries: readonly HostEntry[], uuid: string, asker: Asker) {
  const copies: HostEntry[] = [];
  const silent: { readonly place: HostEntry; readonly problem: Problem }[] = [];
  for (const { entry, domains } of await listHosts(entries, uuid, asker)) {
    if (!domains.ok) {
      silent.push({ place: entry, problem: { ...explainHostError(domains.error, entry.name), hostName: entry.name } });
    } else if (domains.value.has(uuid)) copies.push(entry);
  }
  return { copies, silent };
}

type Asked<T> = { readonly entry: HostEntry; readonly domains: T };
const isThere = <T>(asked: Asked<T | Promise<T>>): asked is Asked<T> => !(asked.domains instanceof Promise);

/**
 * What the hosts run. Where one of them has the machine, those that take their time are taken by what they said before: a
 * host that doesn't answer can hide a new copy in any case, and must hold up nobody who is elsewhere.
 */
async function listHosts(entries: readonly HostEntry[], uuid: string, { signal }: Asker) {
  const asked = entries.map((entry) => ({ entry, domains: entry.domainsSoon(signal) }));
  const soon = asked.every(isThere)
    ? asked
    : await Promise.all(asked.map(async ({ entry, domains }) => ({ entry, domains: await domains })));
  if (soon.some(({ domains }) => domains.ok && domains.value.has(uuid))) return soon;
  return Promise.all(
    soon.map(async ({ entry, domains }) => ({ entry, domains: domains.ok ? await entry.domains(signal) : domains })),
  );
}

/** Of several copies the one that runs. A migration explains two of those; else nothing is touched. */
async function chooseCopy(entries: readonly HostEntry[], uuid: string, asker: Asker): Promise<Seen> {
  asker.looks();
  const answers = await Promise.all(
    entries.map(async (entry) => ({ entry, answer: await entry.line.as(asker.urgency, asker.signal).observe(uuid) })),
  );
  const copies: Extract<Seen, { kind: 'found' }>[] = [];
  let isGone = false;
  for (const { entry, answer } of answers) {
    // While a host doesn't say whose its copy is, none is chosen.
    if (!answer.ok && answer.error.code !== 'not-found') return stopped(explainUnobserved(answer.error, entry, asker));
    if (!answer.ok) {
      isGone = true;
      continue;
    }
    const observation = answer.value;
    // A copy of others neither hides nor blocks one's own.
    if (isOpenTo(asker.namespace, { host: entry.resource.spec, observation })) {
      copies.push({ kind: 'found', entry, observation });
    }
  }
  const running = copies.filter(({ observation }) => hasProcess(observation.state));
  const [copy, ...others] = running.length > 0 ? running : copies;
  if (copy === undefined) return isGone ? { kind: 'gone' } : stopped(notFoundProblem(asker.what));
  if (others.length === 0) {
    // Asked for planning, as in observeOn.
    void copy.entry.facts();
    return copy;
  }
  const among = [copy, ...others];
  const names = among.map(({ entry }) => entry.name).join(', ');
  if (among.some(({ observation }) => observation.migrating)) {
    return stopped({ reason: 'VMMigrating', message: `VM ${uuid} is migrating between ${names}`, retry: true });
  }
  return stopped({
    reason: 'AmbiguousVM',
    message: `VM ${uuid} is ${running.length > 0 ? 'running' : 'defined'} on several hosts: ${names}; remove the wrong one or set spec.hostRef`,
    retry: false,
  });
}
