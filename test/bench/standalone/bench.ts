/** `dimmer standalone`: its commands, its start, what it costs while nothing changes, and from a file to memory. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureLab } from '../../lab/ensure.ts';
import { startLab } from '../../lab/lab.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { StandaloneProcess } from '../../support/standalone-process.ts';
import { unitEnvironment } from '../agent/program.ts';
import { startPausedDomains } from '../agent/many-domains.ts';
import {
  connectObserver,
  firstVirshSlot,
  measurePlug,
  measureVirsh,
  reportPlugs,
  type Series,
  sizes,
  untilAnyMoment,
} from '../attach.ts';
import { residentMiB, threadsMs } from '../processes.ts';
import { median, summaryRow } from '../summary.ts';
import { benchCommands } from './commands.ts';

const rounds = Number(process.env['DIMMER_ROUNDS'] ?? 20);
const vms = 20;
const starts = Number(process.env['DIMMER_STARTS'] ?? 10);
const idleMs = Number(process.env['DIMMER_IDLE_MS'] ?? 60_000);

/** Runs the benchmark and prints its figures. */
export async function runStandaloneBench(): Promise<void> {
  await ensureLab(report, ['hypervisor']);
  await benchManyVms();
  await benchOneGuest();
}

async function benchManyVms(): Promise<void> {
  report(`starting a hypervisor and ${vms} QEMUs`);
  const lab = await startLab();
  try {
    const guests = await startPausedDomains(lab.hypervisor, vms);
    // One that is paused isn't at rest for Dimmer. Without an operating system they wait for a disk, and do little.
    for (const { name } of guests) await lab.hypervisor.virshOk(['resume', name]);
    const standalone = new StandaloneProcess(
      lab.hypervisor,
      join(lab.hypervisor.directory, 'bench'),
      unitEnvironment('standalone/dimmer-standalone.service'),
    );
    for (const guest of guests) standalone.wish(guest, '64Mi');
    const readyMs: number[] = [];
    const resident: number[] = [];
    for (let start = 0; start < starts; start += 1) {
      readyMs.push(await standalone.start());
      for (const guest of guests) await standalone.reaches(guest, 'Converged', '64Mi');
      resident.push(residentMiB(standalone.pid));
      if (start < starts - 1) await standalone.stop();
    }
    console.log(`${summaryRow('standalone: start of the process to ready', readyMs)} (aim: below 500)`);
    console.log(`resident once all ${vms} VMs were looked at: median ${median(resident).toFixed(1)} MiB`);
    await delay(5_000);
    await measureIdle(standalone.pid);
    benchCommands(standalone.state, guests[0]?.name ?? '');
    await standalone.stop();
  } finally {
    await lab.stop();
  }
}

async function measureIdle(pid: number): Promise<void> {
  report(`doing nothing for ${idleMs / 1000} s`);
  const before = threadsMs(pid);
  const startedAt = performance.now();
  await delay(idleMs);
  const share = ((threadsMs(pid) - before) / (performance.now() - startedAt)) * 100;
  console.log(
    `idle with ${vms} VMs: ${share.toFixed(2)} % of a core over ${idleMs / 1000} s (aim: below 0.5), ` +
      `resident ${residentMiB(pid).toFixed(1)} MiB (aim: below 80)`,
  );
}

async function benchOneGuest(): Promise<void> {
  report('starting a hypervisor and a guest with 256 slots');
  const lab = await startLab({ guests: [{ kind: 'accepting', name: 'bench', slots: 256 }] });
  const observer = await connectObserver(lab.hypervisor);
  const standalone = new StandaloneProcess(
    lab.hypervisor,
    join(lab.hypervisor.directory, 'bench'),
    unitEnvironment('standalone/dimmer-standalone.service'),
  );
  try {
    await standalone.start();
    const guest = lab.guest('accepting');
    const isPaused = '  paused: true\n';
    standalone.wish(guest, sizes.rest);
    await standalone.reaches(guest, 'Converged', sizes.rest);
    const dimmer: Series = { toEvent: [], toGuest: [] };
    const virsh: Series = { toEvent: [], toGuest: [] };
    for (let round = 0; round < rounds; round += 1) {
      if (round % 5 === 0) report(`round ${round + 1} of ${rounds}`);
      await untilAnyMoment();
      const renamedAt = (): number => {
        standalone.wish(guest, sizes.grown);
        return performance.now();
      };
      await measurePlug(guest, observer, renamedAt, dimmer);
      await standalone.reaches(guest, 'Converged', sizes.grown);
      standalone.wish(guest, sizes.rest);
      await standalone.reaches(guest, 'Converged', sizes.rest);
      // While virsh has its turn, its module would be taken out again.
      standalone.wish(guest, sizes.rest, isPaused);
      await standalone.reaches(guest, 'Converged', sizes.rest);
      await measureVirsh(lab.hypervisor, guest, observer, firstVirshSlot + round, virsh);
      standalone.wish(guest, sizes.rest);
      await standalone.reaches(guest, 'Converged', sizes.rest);
    }
    reportPlugs(dimmer, virsh, 'file renamed', { event: '1.0', guest: '1.0' });
  } finally {
    await standalone.stop();
    await observer.close();
    await lab.stop();
  }
}
