/** How long a guest stands still while a module is plugged, by what stands behind its memory and by the module's size. */
import { ensureLab } from '../../lab/ensure.ts';
import { startGuest } from '../../lab/guest.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import type { LabHypervisor } from '../../lab/hypervisor.ts';
import { startLab } from '../../lab/lab.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { waitFor } from '../../lab/wait.ts';
import { median, quantile } from '../summary.ts';

const rounds = 7;
const largestMib = 4096;
const sizesMib = [128, 256, 512, 1024, 2048, largestMib];

/** Ordinary memory is what the guest itself needs to take a module up. */
const backings: Readonly<Record<string, string>> = {
  ordinary: '',
  immediate: `<memoryBacking><allocation mode='immediate'/></memoryBacking>`,
  // As libvirt does for <locked/>, which in a container may not raise the limit of locked memory.
  locked: `<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
    <qemu:arg value='-overcommit'/><qemu:arg value='mem-lock=on'/></qemu:commandline>`,
  'huge pages': '<memoryBacking><hugepages/></memoryBacking>',
};
/** Pages of 2 MiB for the largest module, and for boot memory. */
const hugePages = (largestMib + 512) / 2;

type Pause = { readonly longestMs: number };

/** Plugs one module, waits until the guest has it, and takes it out again. */
async function plugOnce(guest: LabGuest, mib: number): Promise<Pause> {
  const before = await guest.memTotalKiB();
  const end = await guest.watchClock();
  await guest.plugDimm(mib, 'ua-bench');
  await waitFor(async () => (await guest.memTotalKiB()) === before + mib * 1024, {
    ...{ what: `the guest to take ${mib} MiB`, timeoutMs: 120_000, intervalMs: 200 },
  });
  const { longestMs, guestMs, hostMs } = await end();
  if (Math.abs(hostMs - guestMs) > 1000 + 0.1 * longestMs) {
    console.log(`the guest's clock stood: ${guestMs.toFixed(0)} ms there, ${hostMs.toFixed(0)} ms here`);
  }
  await guest.unplugDimm('ua-bench');
  await waitFor(async () => (await guest.moduleAliases()).length === 0, {
    ...{ what: 'the module to leave', timeoutMs: 120_000, intervalMs: 200 },
  });
  return { longestMs };
}

/** The sizes take turns, so that what the machine does meanwhile meets them all. */
async function measure(hypervisor: LabHypervisor, name: string, extraXml: string): Promise<void> {
  const guest = await startGuest(hypervisor, { kind: 'accepting', name: name.replace(' ', '-'), extraXml });
  const first = await plugOnce(guest, largestMib);
  const seen = new Map(sizesMib.map((mib): [number, Pause[]] => [mib, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [mib, pauses] of seen) pauses.push(await plugOnce(guest, mib));
  }
  await guest.destroy();
  const ms = (value: number): string => value.toFixed(0).padStart(6);
  console.log(`${name}: the first of ${largestMib} MiB stopped the guest for ${ms(first.longestMs)} ms`);
  for (const [mib, all] of seen) {
    const pauses = all.map(({ longestMs }) => longestMs);
    const least = quantile(pauses, 0);
    const spread = `${ms(least)} ${ms(median(pauses))} ${ms(quantile(pauses, 1))} ms`;
    const forGib = (value: number): string => ms((value / mib) * 1024);
    console.log(
      `${name.padEnd(10)} ${String(mib).padStart(5)} MiB  pause ${spread}  for a GiB ${forGib(least)} ${forGib(median(pauses))} ms`,
    );
  }
}

/**
 * Runs the benchmark and prints its figures: least, median and longest of the pauses, which include what the guest needs
 * to take the module up. A machine that has not had the memory for long (a virtual one, first of all) is slower at first.
 */
export async function runPausesBench(): Promise<void> {
  await ensureLab(report, ['hypervisor']);
  const lab = await startLab({ hypervisor: { hugePages, qemuConf: ['clear_emulator_capabilities = 0'] } });
  try {
    for (const [name, extraXml] of Object.entries(backings)) await measure(lab.hypervisor, name, extraXml);
  } finally {
    await lab.stop();
  }
}
