/**
 * What becomes of a guest whose kernel has little free for the memory map of what is plugged: does it take the module, leave
 * it, kill for it, or end? Its boot memory is filled by a process, a module of its size is plugged, which stays free, and then
 * one of a multiple of it (docs/adr/0049).
 */
import { ensureLab } from '../../lab/ensure.ts';
import { startGuest } from '../../lab/guest.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import type { LabHypervisor } from '../../lab/hypervisor.ts';
import { startLab } from '../../lab/lab.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { waitFor } from '../../lab/wait.ts';

type Case = {
  readonly bootMib: number;
  /** Of boot memory, left when the process has filled it, by the kernel's own estimate (MemAvailable). */
  readonly leftMib: number;
  /** What is plugged then, in multiples of boot memory. */
  readonly times: number;
};

/** What is left is as much as the map of 1 to 3 times boot memory. */
const cases: readonly Case[] = [256, 512].flatMap((bootMib) =>
  [1, 1.5, 2, 3].flatMap((left) =>
    [0.5, 1, 2, 4, 8].map((times) => ({ bootMib, leftMib: (left * bootMib) / 64, times })),
  ),
);

/** What is free in zones from which a kernel can take a map, MiB. */
async function freeForMaps(guest: LabGuest): Promise<number> {
  const pages = `awk '/^Node/{use=($4!="Movable"&&$4!="Device")} /nr_free_pages/{if(use)sum+=$2} END{print sum}' /proc/zoneinfo`;
  return Number((await guest.shOk(pages)).trim()) / 256;
}

const bootId = async (guest: LabGuest): Promise<string> =>
  (await guest.sh('cat /proc/sys/kernel/random/boot_id', 30_000)).out.trim();

/** Plugs a module, and waits until the guest has taken it or has had 10 s for that. Gives what it took, MiB. */
async function plug(guest: LabGuest, mib: number, alias: string): Promise<number> {
  const before = await guest.memTotalKiB();
  await guest.plugDimm(mib, alias);
  let taken = 0;
  await waitFor(
    async () => {
      taken = ((await guest.memTotalKiB()) - before) / 1024;
      return taken >= mib;
    },
    { what: 'the guest to take it', timeoutMs: 10_000, intervalMs: 500 },
  ).catch(() => undefined);
  return taken;
}

/** One case on a guest of its own; what became of it. */
async function tryOut(hypervisor: LabHypervisor, { bootMib, leftMib, times }: Case): Promise<string> {
  const guest = await startGuest(hypervisor, {
    ...{ kind: 'accepting', nodes: [{ mib: bootMib, vcpus: 1 }], maxMemoryMib: 16_384 },
  });
  try {
    const boot = await bootId(guest);
    const atFirst = await guest.oomKills();
    const spare = Math.floor((await guest.memInfoKiB('MemAvailable')) / 1024);
    // The map of the module that comes first is of boot memory, too.
    await guest.useMemory(Math.max(1, Math.floor(spare - leftMib - bootMib / 64)), { locked: true });
    await plug(guest, bootMib, 'ua-first');
    const [free, kills] = [await freeForMaps(guest), await guest.oomKills()];
    if (kills > atFirst) return `killed ${kills - atFirst} for the first module already`;
    const usable = (await guest.memInfoKiB('MemAvailable')) / 1024;
    const mib = bootMib * times;
    const start = `${free.toFixed(1)} MiB free for maps, ${usable.toFixed(0)} MiB usable, map of ${(mib / 64).toFixed(0)} MiB`;
    try {
      const taken = await plug(guest, mib, 'ua-then');
      if ((await bootId(guest)) !== boot) return `${start}: rebooted`;
      const killed = (await guest.oomKills()) - kills;
      const after = await freeForMaps(guest);
      return `${start}: ${taken >= mib ? 'took it' : `took ${taken.toFixed(0)} MiB`}, killed ${killed}, ${after.toFixed(1)} MiB free for maps`;
    } catch (error) {
      return `${start}: does not answer (${String(error).split('\n')[0] ?? ''})`;
    }
  } finally {
    await guest.destroy().catch(() => undefined);
  }
}

/** Runs the benchmark and prints a line for each case. */
export async function runMapsBench(): Promise<void> {
  await ensureLab(report, ['hypervisor']);
  const lab = await startLab();
  try {
    for (const each of cases) {
      const { bootMib, leftMib, times } = each;
      const what = `boot ${bootMib} MiB, ${leftMib} MiB left: ${times} x boot`;
      console.log(`${what.padEnd(40)} ${await tryOut(lab.hypervisor, each).catch((error: unknown) => String(error))}`);
    }
  } finally {
    await lab.stop();
  }
}
