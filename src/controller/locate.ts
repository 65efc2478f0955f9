/** Finding the virtual machine: on which host, and which copy of it when there are several. */
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { isNamespaceAllowed } from '../api/v1alpha1/selector.ts';
import type { DomainObservation, DomainSummary } from '../host/port.ts';
import type { HostDirectory, HostEntry } from './host-directory.ts';
import { explainHostError } from './host-problem.ts';
import type { Turn } from '../runtime/work-queue.ts';
import type { Problem } from './types.ts';

export type Location =
  | { readonly kind: 'found'; readonly entry: HostEntry; readonly observation: DomainObservation }
  | { readonly kind: 'problem'; readonly problem: Problem };

/** Where to look: the hosts that the namespace may use. */
export type LocateContext = Pick<Turn, 'urgency'> & {
  readonly hosts: HostDirectory;
  /** Labels of a namespace; undefined: no such namespace is known. */
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>> | undefined;
};

const problem = (found: Problem): Location => ({ kind: 'problem', problem: found });

/** "Refused" and "missing" give the same answer to a tenant: a name must not leak what exists. */
export const notFoundProblem = (what: string): Problem => ({
  reason: 'VMNotFoundOrNotAllowed',
  message: `${what} was found on no host that this namespace may use; check spec.virtualMachine, and ask the cluster's admin which hosts the namespace may use`,
  retry: false,
});

const notFound = (what: string): Location => problem(notFoundProblem(what));

/** Finds the virtual machine of `resource`. Changes nothing. */
export async function locate(resource: VirtualMachineMemory, context: LocateContext): Promise<Location> {
  const { hosts } = context;
  const { namespace } = resource.metadata;
  const labels = context.namespaceLabels(namespace) ?? {};
  const isAllowed = (entry: HostEntry): boolean => isNamespaceAllowed(entry.resource.spec.allowedNamespaces, labels);

  const { hostRef, virtualMachine } = resource.spec;
  if (hostRef !== undefined) {
    const entry = hosts.get(hostRef.name);
    if (entry === undefined || !isAllowed(entry)) {
      return problem({
        reason: 'HostUnknown',
        message: `there is no HypervisorHost ${hostRef.name} that namespace ${namespace} may use; check spec.hostRef`,
        retry: false,
      });
    }
    if (virtualMachine.uuid !== undefined) return observeOn(entry, virtualMachine.uuid, context);
    return locateByName(entry, virtualMachine.name ?? '', context);
  }
  return locateByUuid(hosts.list().filter(isAllowed), virtualMachine.uuid ?? '', context);
}

async function observeOn(entry: HostEntry, uuid: string, { urgency }: LocateContext): Promise<Location> {
  // Asked beside the observation, so that planning needn't wait for it; the entry keeps the answer.
  void entry.facts();
  const answer = await entry.line.as(urgency).observe(uuid);
  if (answer.ok) return { kind: 'found', entry, observation: answer.value };
  if (answer.error.code === 'not-found') return notFound(`VM ${uuid}`);
  return problem({ ...explainHostError(answer.error, entry.name), hostName: entry.name });
}

async function locateByName(entry: HostEntry, name: string, context: LocateContext): Promise<Location> {
  const domains = await entry.domains();
  if (!domains.ok) return problem({ ...explainHostError(domains.error, entry.name), hostName: entry.name });
  const found = [...domains.value.values()].find((domain) => domain.name === name);
  return found === undefined ? notFound(`VM '${name}'`) : observeOn(entry, found.uuid, context);
}

type Copy = { readonly entry: HostEntry; readonly domain: DomainSummary };

const hasProcess = (state: DomainSummary['state']): boolean => state !== 'ShutOff' && state !== 'Crashed';

async function locateByUuid(entries: readonly HostEntry[], uuid: string, context: LocateContext): Promise<Location> {
  const copies: Copy[] = [];
  let silent: Problem | null = null;
  const listings = await Promise.all(entries.map(async (entry) => ({ entry, domains: await entry.domains() })));
  for (const { entry, domains } of listings) {
    if (!domains.ok) {
      silent ??= { ...explainHostError(domains.error, entry.name), hostName: entry.name };
      continue;
    }
    const domain = domains.value.get(uuid);
    if (domain !== undefined) copies.push({ entry, domain });
  }

  const running = copies.filter(({ domain }) => hasProcess(domain.state));
  const [copy, ...others] = running.length > 0 ? running : copies;
  if (copy === undefined) {
    // "Not found" is concluded only when every host answered.
    return silent === null
      ? notFound(`VM ${uuid}`)
      : problem({ ...silent, message: `VM ${uuid} was not found yet, and not every host answers: ${silent.message}` });
  }
  if (others.length > 0) return judgeCopies([copy, ...others], uuid, running.length > 0, context);
  const location = await observeOn(copy.entry, uuid, context);
  // What we had cached is out of date; the next look asks the host.
  if (location.kind === 'problem') copy.entry.forgetDomains();
  return location;
}

/** Several copies: a migration on either of them explains it, else nothing is touched. */
async function judgeCopies(
  copies: readonly Copy[],
  uuid: string,
  running: boolean,
  { urgency }: LocateContext,
): Promise<Location> {
  const names = copies.map(({ entry }) => entry.name).join(', ');
  const observations = await Promise.all(copies.map(({ entry }) => entry.line.as(urgency).observe(uuid)));
  if (observations.some((answer) => answer.ok && answer.value.migrating)) {
    return problem({ reason: 'VMMigrating', message: `VM ${uuid} is migrating between ${names}`, retry: true });
  }
  return problem({
    reason: 'AmbiguousVM',
    message: `VM ${uuid} is ${running ? 'running' : 'defined'} on several hosts: ${names}; remove the wrong one or set spec.hostRef`,
    retry: false,
  });
}
