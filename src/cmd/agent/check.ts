/** `dimmer agent check`: what is wrong with a host, told before anything is changed. It only ever reads. */
import { createServer } from 'node:net';
import { type Admits, compilePattern } from '../../agent/admission.ts';
import { DomainReader } from '../../agent/domain/reader.ts';
import { createRunIdentities } from '../../agent/domain/identity.ts';
import { RunningDomains } from '../../agent/domain/running-domains.ts';
import type { Driver, DomainRef } from '../../agent/driver.ts';
import { askGuestAgent } from '../../agent/guest/guest-agent.ts';
import { HostMemory } from '../../agent/host-memory.ts';
import { checkLibvirt } from '../../drivers/libvirt/check.ts';
import { connectHypervisor } from '../../drivers/libvirt/connect.ts';
import { createLibvirtDriver } from '../../drivers/libvirt/driver.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { HostPort } from '../arguments.ts';
import { type CommandIo, exitFailure, exitOk } from '../io.ts';
import { checkCertificates } from '../../agent/check/certificates.ts';
import { describeHostMemory, judgeDomain, unusableDomain } from '../../agent/check/domain.ts';
import { type DomainReport, type Finding, formatReport, toReport } from '../../agent/check/report.ts';
import { type CheckArguments, clientsRequired } from './options.ts';
import { describeUser } from '../describe-user.ts';

/** What looks hidden for longer than this is no plug under way (repair/suspicion.ts). */
const secondLookMs = 1_100;

/** Looks at everything and prints the report. Returns the exit code: 0 when there is no problem. */
export async function runCheck(options: CheckArguments, agentVersion: string, io: CommandIo): Promise<number> {
  const clock = systemClock;
  const user = describeUser();
  const host: Finding[] = [
    checkClients(options.allowClients),
    ...checkCertificates(options, user, clock.now()),
    await checkListen(options.listen),
  ];
  const domains: DomainReport[] = [];
  const hypervisor = connectHypervisor(options.endpoint, silentLogger);
  try {
    const { finding, connected } = await checkLibvirt(hypervisor, options.endpoint, user);
    host.unshift(finding);
    if (connected) {
      const found = await checkDomains(createLibvirtDriver(hypervisor), options, clock);
      host.push(...found.host);
      domains.push(...found.domains);
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    host.push({ verdict: 'problem', subject: 'libvirt', message });
  } finally {
    await hypervisor.close();
  }
  const report = toReport(agentVersion, host, domains);
  io.stdout.write(options.output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  return report.problems === 0 ? exitOk : exitFailure;
}

const checkClients = (clients: readonly string[]): Finding =>
  clients.length === 0
    ? { verdict: 'problem', subject: 'clients', message: clientsRequired }
    : { verdict: 'ok', subject: 'clients', message: `certificates with the name ${clients.join(' or ')}` };

/** Whether the agent could listen there: listens for a moment. */
function checkListen({ host, port }: HostPort): Promise<Finding> {
  const subject = 'listen';
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(
        error.code === 'EADDRINUSE'
          ? { verdict: 'warning', subject, message: `${where} is in use already, perhaps by a running agent` }
          : { verdict: 'problem', subject, message: `the agent cannot listen on ${where}: ${error.message}` },
      );
    });
    server.listen({ host, port }, () => {
      server.close(() => resolve({ verdict: 'ok', subject, message: `${where} is free` }));
    });
  });
}

async function checkDomains(
  driver: Driver,
  { allowDomains: pattern, guestAgent }: CheckArguments,
  clock: Clock,
): Promise<{ readonly host: readonly Finding[]; readonly domains: readonly DomainReport[] }> {
  const hostMemory = new HostMemory(() => driver.hostMemory());
  const runs = new RunningDomains();
  const admits = compilePattern(pattern);
  const reader = new DomainReader({
    ...{ driver, runs, hostMemory, clock, identities: createRunIdentities() },
    // Those that aren't served count in the host's memory all the same.
    admits: () => true,
  });
  const refs = (await driver.listDomains()).toSorted((a, b) => a.name.localeCompare(b.name));
  const domains: DomainReport[] = [];
  for (const ref of refs) {
    if (guestAgent && ref.id !== null && admits(ref.name)) {
      const askedAtMs = clock.now();
      const word = await askGuestAgent(driver, ref.uuid);
      const run = reader.runOf(ref);
      if (word !== null) run?.heardGuestAgent(word, askedAtMs);
    }
    const report = await checkDomain(reader, ref, hostMemory, clock);
    if (report !== null && admits(ref.name)) domains.push(report);
  }
  const running = refs.filter(({ id }) => id !== null);
  const host: Finding[] = [
    { verdict: 'ok', subject: 'memory', message: describeHostMemory(hostMemory.facts().memory, running.length) },
    judgeAdmission(refs, admits, pattern),
    judgeOwners(running.filter(({ name }) => admits(name)).length, reader.ownerlessOf(refs), admits),
  ];
  // domain/identity.ts: the id of a domain alone starts again when libvirtd does.
  if (runs.all().some(({ runtimeId }) => runtimeId.endsWith('/-'))) {
    host.push({
      verdict: 'warning',
      subject: 'processes',
      message:
        "/proc doesn't show the start time of every VM's QEMU (another host, hidepid, ProtectProc): a VM that is restarted together with libvirt may be taken for the one before",
    });
  }
  return { host, domains };
}

/** null: it has vanished meanwhile. */
async function checkDomain(
  reader: DomainReader,
  ref: DomainRef,
  hostMemory: HostMemory,
  clock: Clock,
): Promise<DomainReport | null> {
  let gathered = await reader.gather(ref.uuid);
  if (gathered.ok && (gathered.value.run?.repair.hidden ?? null) !== null) {
    await new Promise<void>((resolve) => setTimeout(resolve, secondLookMs));
    gathered = await reader.gather(ref.uuid);
  }
  if (gathered.ok) return judgeDomain(gathered.value, hostMemory.facts(), clock.now());
  return gathered.error.code === 'not-found' ? null : unusableDomain(ref.uuid, ref.name, gathered.error.message);
}

/** The agent isn't told which namespaces may use its host, so that what follows is said with a condition. */
function judgeOwners(running: number, ownerless: readonly DomainRef[], admits: Admits): Finding {
  const subject = 'owners';
  const count = ownerless.filter(({ id, name }) => id !== null && admits(name)).length;
  if (count === 0) return { verdict: 'ok', subject, message: 'every running VM is reserved for a namespace' };
  const message =
    `${count} of ${running} running VMs have no owner: where more than one namespace may use this host, each is had by ` +
    'the first that asks for it; reserve it with the owner element (docs/operations.md), or set spec.requireOwner of the HypervisorHost';
  return { verdict: 'warning', subject, message };
}

function judgeAdmission(refs: readonly DomainRef[], admits: Admits, pattern: string): Finding {
  const served = refs.filter(({ name }) => admits(name)).length;
  const message = `--allow-domains '${pattern}' admits ${served} of ${refs.length}`;
  return refs.length > 0 && served === 0
    ? { verdict: 'warning', subject: 'VMs', message: `${message}: the agent would serve none` }
    : { verdict: 'ok', subject: 'VMs', message };
}
