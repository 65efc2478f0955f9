/** The VMs of a host, asked of libvirt or of the host's agent. Changes nothing on them. */
import type { FoundMachine } from '../../adopt/judge.ts';
import type { Admits } from '../../agent/admission.ts';
import { createRunIdentities } from '../../agent/domain/identity.ts';
import { toObservation } from '../../agent/domain/observation.ts';
import { DomainReader } from '../../agent/domain/reader.ts';
import { RunningDomains } from '../../agent/domain/running-domains.ts';
import { HostMemory } from '../../agent/host-memory.ts';
import { checkLibvirt } from '../../drivers/libvirt/check.ts';
import { connectHypervisor } from '../../drivers/libvirt/connect.ts';
import { createLibvirtDriver } from '../../drivers/libvirt/driver.ts';
import type { HostAnswer } from '../../host/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import type { AdoptSource } from './options.ts';
import { describeUser } from '../describe-user.ts';
import { succeed } from '../../memory/result.ts';

export type MachineName = { readonly uuid: string; readonly name: string };

export type FoundMachines = {
  readonly machines: readonly FoundMachine[];
  /** Those that couldn't be looked at, and why. */
  readonly unread: readonly { readonly machine: MachineName; readonly why: string }[];
};

/** All that `admits` lets through, running or only defined. @throws Error when the host can't be asked */
export const findMachines = (source: AdoptSource, admits: Admits, signal: AbortSignal): Promise<FoundMachines> =>
  source.kind === 'libvirt' ? askLibvirt(source, admits) : askAgent(source, admits, signal);

async function askLibvirt(
  { endpoint }: Extract<AdoptSource, { kind: 'libvirt' }>,
  admits: Admits,
): Promise<FoundMachines> {
  const hypervisor = connectHypervisor(endpoint, silentLogger);
  try {
    const { finding, connected } = await checkLibvirt(hypervisor, endpoint, describeUser());
    if (!connected || finding.verdict === 'problem') throw new Error(`libvirt: ${finding.message}`);
    const driver = createLibvirtDriver(hypervisor);
    const reader = new DomainReader({
      ...{ driver, admits, clock: systemClock },
      hostMemory: new HostMemory(() => driver.hostMemory()),
      runs: new RunningDomains(),
      identities: createRunIdentities(),
    });
    const transient = new Set((await hypervisor.listTransient()).map(({ uuid }) => uuid));
    const refs = (await driver.listDomains()).filter(({ name }) => admits(name));
    return await lookAtEach(refs, async (uuid) => {
      const gathered = await reader.gather(uuid);
      if (!gathered.ok) return gathered;
      const observation = toObservation(gathered.value, systemClock.now());
      return succeed({ observation, transient: transient.has(uuid) });
    });
  } finally {
    await hypervisor.close();
  }
}

async function askAgent(
  { address, tlsServerName, files }: Extract<AdoptSource, { kind: 'agent' }>,
  admits: Admits,
  signal: AbortSignal,
): Promise<FoundMachines> {
  // What speaks HTTPS is loaded only for it.
  const { openTlsFiles } = await import('../../runtime/tls-files.ts');
  const { createHttpsHost } = await import('../../host/http/client.ts');
  const tls = openTlsFiles(files, systemClock, silentLogger);
  const host = createHttpsHost({ address, tlsServerName, tls, clock: systemClock });
  try {
    const list = await host.listDomains(signal);
    if (!list.ok) throw new Error(`agent at ${address}: ${list.error.message}`);
    const refs = list.value.filter(({ name }) => admits(name));
    return await lookAtEach(refs, async (uuid) => {
      const answer = await host.observe(uuid, signal);
      if (!answer.ok) return answer;
      return succeed({ observation: answer.value, transient: null });
    });
  } finally {
    await host.close();
    tls.close();
  }
}

/** One after the other, by name. One that has vanished meanwhile isn't there. */
async function lookAtEach(
  refs: readonly MachineName[],
  look: (uuid: string) => Promise<HostAnswer<FoundMachine>>,
): Promise<FoundMachines> {
  const machines: FoundMachine[] = [];
  const unread: { machine: MachineName; why: string }[] = [];
  for (const machine of refs.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const found = await look(machine.uuid);
    if (found.ok) machines.push(found.value);
    else if (found.error.code !== 'not-found') unread.push({ machine, why: found.error.message });
  }
  return { machines, unread };
}
