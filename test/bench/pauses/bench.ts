/** How long a guest stands still while a module is plugged, by what stands behind its memory and by the module's size. */
import { ensureLab } from '../../lab/ensure.ts';
import { startGuest } from '../../lab/guest.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import type { LabHypervisor } from '../../lab/hypervisor.ts';
import { startLab } from '../../lab/lab.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { waitFor } from '../../lab/wait.ts';
import { median, quantile } from '../summary.ts';

const rounds = 3;
const sizesMib = [128, 256, 512, 1024, 2048, 4096];

/** Ordinary memory is what the guest itself needs to take a module up. */
const backings: Readonly<Record<string, string>> = {
  ordinary: '',
  immediate: `<memoryBacking><allocation mode='immediate'/></memoryBacking>`,
  locked: '<memoryBacking><locked/></memoryBacking>',
  'huge pages': '<memoryBacking><hugepages/></memoryBacking>',
};
/** Pages of 2 MiB for the largest module, and for boot memory. */
const hugePages = (4096 + 512) / 2;

type Pause = { readonly longestMs: number; readonly callMs: number };

/** Plugs one module, waits until the guest has it, and takes it out again. */
async function plugOnce(guest: LabGuest, mib: number): Promise<Pause> {
  const before = await guest.memTotalKiB();
  const end = await guest.watchClock();
  const startMs = performance.now();
  await guest.plugDimm(mib, 'ua-bench');
  const callMs = performance.now() - startMs;
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
  return { longestMs, callMs };
}

async function measure(hypervisor: LabHypervisor, name: string, extraXml: string): Promise<void> {
  const guest = await startGuest(hypervisor, { kind: 'accepting', name: name.replace(' ', '-'), extraXml });
  const ms = (value: number): string => value.toFixed(0).padStart(6);
  for (const mib of sizesMib) {
    const seen: Pause[] = [];
    for (let round = 0; round < rounds; round++) seen.push(await plugOnce(guest, mib));
    const pauses = seen.map(({ longestMs }) => longestMs);
    const spread = `${ms(quantile(pauses, 0))} ${ms(median(pauses))} ${ms(quantile(pauses, 1))}`;
    const call = ms(median(seen.map(({ callMs }) => callMs)));
    const forGib = ms((median(pauses) / mib) * 1024);
    console.log(
      `${name.padEnd(12)} ${String(mib).padStart(5)} MiB  pause ${spread} ms  call ${call} ms  pause/GiB ${forGib} ms`,
    );
  }
  await guest.destroy();
}

/** Runs the benchmark and prints its figures: minimum, median and maximum of the longest pause of each plug. */
export async function runPausesBench(): Promise<void> {
  await ensureLab(report, ['hypervisor']);
  const lab = await startLab({ hypervisor: { hugePages } });
  try {
    for (const [name, extraXml] of Object.entries(backings)) await measure(lab.hypervisor, name, extraXml);
  } finally {
    await lab.stop();
  }
}
