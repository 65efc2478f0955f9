/**
 * What many VMs cost. 40 real ones: QEMU processes of 64 MiB without an operating system, paused right at their start,
 * so that they take no processor themselves; libvirt and the agent treat them as any other. 200 are more than this
 * machine carries, so they are of libvirt's test driver: a real daemon, the real protocol and real XML, but no QEMU.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LabGuest } from '../../lab/guest-types.ts';
import { startGuests } from '../../lab/lab.ts';
import type { LabHypervisor } from '../../lab/hypervisor.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { runOk } from '../../lab/run.ts';
import { median, summaryRow } from '../summary.ts';
import { type AgentFiles, type AgentProgram, startAgent } from './program.ts';

const realDomains = 40;
const mockDomains = 200;
const idleMs = 60_000;
const starts = 10;
const views = 20;

/** Starts real ones, paused. */
export async function startPausedDomains(lab: LabHypervisor, count = realDomains): Promise<readonly LabGuest[]> {
  const guests = await startGuests(
    lab,
    Array.from({ length: count }, (_, index) => ({
      ...({ kind: 'no-os', name: `idle-${index}`, leaveOff: true } as const),
      nodes: [{ mib: 64, vcpus: 1 }],
    })),
  );
  for (const { name } of guests) await lab.virshOk(['start', name, '--paused']);
  return guests;
}

/** Defines and starts domains of the test driver. They are there as long as somebody is connected to it. */
async function startMockDomains(lab: LabHypervisor): Promise<void> {
  const commands: string[] = [];
  for (let index = 0; index < mockDomains; index += 1) {
    const file = join(lab.directory, `mock-${index}.xml`);
    writeFileSync(
      file,
      `<domain type='test'><name>mock-${index}</name><maxMemory slots='16' unit='GiB'>16</maxMemory>
       <memory unit='GiB'>1</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm</type></os><features><acpi/></features>
       <cpu><numa><cell id='0' cpus='0-1' memory='1' unit='GiB'/></numa></cpu>
       <devices>
         <disk type='file' device='disk'><source file='/var/lib/disk-${index}.img'/><target dev='vda' bus='virtio'/></disk>
         <interface type='network'><source network='default'/><model type='virtio'/></interface>
         <memballoon model='virtio'><stats period='2'/></memballoon>
       </devices></domain>`,
    );
    commands.push(`create ${file}`);
  }
  // virsh as a shell: one process for all.
  await runOk('virsh', ['--connect', mockUri(lab)], { input: `${commands.join('\n')}\nquit\n`, timeoutMs: 120_000 });
}

const mockUri = (lab: LabHypervisor): string => `test+unix:///default?socket=${lab.socketPath}`;

async function measureIdle(agent: AgentProgram, what: string): Promise<void> {
  const before = agent.cpuMs();
  const startedAt = performance.now();
  await delay(idleMs);
  const share = ((agent.cpuMs() - before) / (performance.now() - startedAt)) * 100;
  console.log(
    `${what}: ${share.toFixed(2)} % of a core over ${idleMs / 1000} s (aim: below 1), ` +
      `resident ${agent.residentMib().toFixed(1)} MiB (aim: below 80)`,
  );
}

async function measureView(agent: AgentProgram, expected: number, what: string): Promise<void> {
  const durationsMs: number[] = [];
  for (let view = 0; view < views; view += 1) {
    const start = performance.now();
    const { length } = await agent.viewAll();
    durationsMs.push(performance.now() - start);
    if (length !== expected) throw new Error(`the view has ${length} of ${expected} VMs`);
  }
  console.log(summaryRow(`view=memory of ${expected} VMs ${what}`, durationsMs));
  console.log(`per VM: ${(median(durationsMs) / expected).toFixed(3)} ms`);
}

/** Start-up, resident memory and processor of an agent with 40 VMs. They must run already. */
export async function benchIdle(uri: string, files: AgentFiles): Promise<void> {
  const readyMs: number[] = [];
  const resident: number[] = [];
  for (let start = 0; start < starts; start += 1) {
    const agent = await startAgent(uri, files);
    readyMs.push(agent.readyMs);
    resident.push(agent.residentMib());
    await agent.stop();
  }
  console.log(`${summaryRow('start of the process to ready', readyMs)} (aim: below 500)`);
  console.log(`resident right after the start: median ${median(resident).toFixed(1)} MiB`);
  const agent = await startAgent(uri, files);
  try {
    await measureIdle(agent, `idle with ${realDomains} VMs, nobody watching`);
    await measureView(agent, realDomains, 'of QEMU');
    // A controller looks at everything once and then listens; while it does, statistics are polled.
    const stop = agent.client.watch(() => undefined);
    await measureIdle(agent, `idle with ${realDomains} VMs, a controller listening`);
    stop();
  } finally {
    await agent.stop();
  }
}

/** The cost of a view of 200 VMs of the test driver. */
export async function benchView(lab: LabHypervisor, files: AgentFiles): Promise<void> {
  const uri = `test:///default?socket=${lab.socketPath}`;
  const agent = await startAgent(uri, files);
  try {
    report(`creating ${mockDomains} domains of libvirt's test driver`);
    await startMockDomains(lab);
    // The driver has a domain of its own, called test.
    await measureView(agent, mockDomains + 1, 'of the test driver');
    console.log(`resident afterwards: ${agent.residentMib().toFixed(1)} MiB`);
  } finally {
    await agent.stop();
  }
}
