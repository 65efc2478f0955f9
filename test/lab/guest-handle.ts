import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logTail } from './daemon.ts';
import { watchClock } from './guest-clock.ts';
import { connectGuestShell, type GuestShell } from './guest-shell.ts';
import type { GuestKind, LabGuest, MemoryUse, TmpfsUse } from './guest-types.ts';
import { dimmXml } from './guest-xml.ts';
import type { LabHypervisor } from './hypervisor.ts';
import { waitFor } from './wait.ts';

const BOOT_TIMEOUT_MS = 120_000;
const COMMAND_TIMEOUT_MS = 20_000;

/** A guest with what only the lab itself does with it. */
export type GuestHandle = LabGuest & {
  /** Has libvirt write the guest's state into a file, which ends its run. */
  readonly save: (file: string) => Promise<void>;
  /** Begins a run from such a file, and waits until the guest answers. */
  readonly restore: (file: string) => Promise<void>;
};

/** What a guest needs of the hypervisor that it runs on. */
export type GuestHypervisor = Pick<LabHypervisor, 'directory' | 'virshOk'>;

export type GuestFiles = { readonly xml: string; readonly consoleLog: string; readonly shellSocket: string };

/** The handle of a defined domain; starts nothing. */
export function guestOf(
  hypervisor: GuestHypervisor,
  kind: GuestKind,
  name: string,
  uuid: string,
  files: GuestFiles,
): GuestHandle {
  let shell: GuestShell | undefined;
  const { virshOk } = hypervisor;
  const logs = {
    ...{ QEMU: join(hypervisor.directory, 'log/qemu', `${name}.log`), 'its console': files.consoleLog },
    libvirtd: join(hypervisor.directory, 'libvirtd.log'),
  };
  const lastWords = (): string =>
    Object.entries(logs)
      .map(([whose, file]) => logTail(whose, file))
      .join('\n');
  const openShell = (): GuestShell => {
    if (shell === undefined) throw new Error(`guest ${name} has no shell: ${kind === 'no-os' ? kind : 'it is off'}`);
    return shell;
  };
  const sh: LabGuest['sh'] = async (command, timeoutMs = COMMAND_TIMEOUT_MS) => openShell().sh(command, timeoutMs);
  const quick: LabGuest['quick'] = async (command) => openShell().quick(command);
  const shOk: LabGuest['shOk'] = async (command, timeoutMs) => {
    const { out, code } = await sh(command, timeoutMs);
    if (code !== 0) throw new Error(`\`${command}\` failed in guest ${name} with exit code ${code}\n${out.trim()}`);
    return out;
  };
  const memInfoKiB = async (field: string): Promise<number> => {
    // The shell reads byte by byte, which is cheaper than a process only for the first lines.
    const look = field === 'MemTotal' ? 'read line </proc/meminfo; echo "$line"' : `grep '^${field}:' /proc/meminfo`;
    const { out } = await quick(look);
    const [, kib] = new RegExp(`^${field}: +(\\d+) kB`).exec(out.trim()) ?? [];
    if (kib === undefined) throw new Error(`/proc/meminfo of guest ${name} has no ${field}: ${out}`);
    return Number(kib);
  };
  const waitReady: LabGuest['waitReady'] = async (timeoutMs = BOOT_TIMEOUT_MS) => {
    if (kind === 'no-os') return;
    try {
      await openShell().waitReady(timeoutMs);
    } catch (error) {
      throw new Error(`guest ${name} did not boot\n${logTail('its console', files.consoleLog)}`, { cause: error });
    }
  };
  const begin = async (work: () => Promise<unknown>): Promise<void> => {
    shell?.close();
    rmSync(files.shellSocket, { force: true });
    await work();
    if (kind !== 'no-os') shell = await connectGuestShell(files.shellSocket, lastWords);
  };
  const waitPinned: LabGuest['waitPinned'] = async (timeoutMs = 30_000) => {
    await waitFor(async () => (await sh(UNPINNED_BLOCKS)).out.trim() === '', {
      what: `guest ${name} to pin every movable memory block`,
      timeoutMs,
      intervalMs: 100,
    });
  };
  return {
    name,
    uuid,
    kind,
    waitReady,
    sh,
    quick,
    shOk,
    memInfoKiB,
    memTotalKiB: () => memInfoKiB('MemTotal'),
    useMemory: (mib, { locked = false } = {}) => useMemory(sh, quick, locked ? 'lock' : 'hold', mib),
    useTmpfs: (mib) => useTmpfs(shOk, mib),
    watchClock: () => watchClock(shOk),
    oomKills: async () => Number(/oom_kill (\d+)/.exec((await quick('grep oom_kill /proc/vmstat')).out)?.[1]),
    refuse: async (on) => {
      const { out, code } = await quick(`echo ${on ? -12 : 0} >${REFUSAL}`);
      if (code !== 0) throw new Error(`guest ${name} can't be told to refuse: ${out}`);
    },
    onlineAs: async (zone) => {
      await shOk(`echo online_${zone} >/sys/devices/system/memory/auto_online_blocks`);
    },
    pin: async () => {
      await shOk(
        'kill -0 $(cat /tmp/pin.pid) 2>/dev/null || { labtool pin >/dev/console 2>&1 & echo $! >/tmp/pin.pid; }',
      );
      await waitPinned();
    },
    waitPinned,
    letGo: async () => {
      await shOk('kill -9 $(cat /tmp/pin.pid); rm -f /tmp/pin.pid /tmp/pinned');
    },
    plugDimm: async (mib, alias, node = 0, options = {}) => {
      const file = `${files.xml}.${alias}`;
      writeFileSync(file, dimmXml(mib, alias, node, options.hugePages));
      await virshOk(['attach-device', uuid, file, '--live']);
    },
    unplugDimm: async (alias) => {
      await virshOk(['detach-device-alias', uuid, alias, '--live']);
    },
    moduleAliases: async () => {
      const xml = await virshOk(['dumpxml', uuid]);
      const modules = xml.match(/<memory model='dimm'[\s\S]*?<\/memory>/g) ?? [];
      return modules.map((module) => /<alias name='([^']*)'/.exec(module)?.[1] ?? '');
    },
    dumpXml: () => virshOk(['dumpxml', uuid]),
    reset: async () => {
      shell?.expectBoot();
      await virshOk(['reset', uuid]);
    },
    start: async () => {
      await begin(() => virshOk(['start', uuid], BOOT_TIMEOUT_MS));
      await waitReady();
    },
    goesOnBy: async (work) => {
      await begin(work);
      await openShell().waitAnswer(COMMAND_TIMEOUT_MS);
    },
    save: async (file) => {
      shell?.close();
      shell = undefined;
      await virshOk(['save', uuid, file, '--running']);
    },
    restore: async (file) => {
      await begin(() => virshOk(['restore', file], BOOT_TIMEOUT_MS));
      await openShell().waitAnswer(COMMAND_TIMEOUT_MS);
    },
    destroy: async () => {
      shell?.close();
      shell = undefined;
      await virshOk(['destroy', uuid]);
    },
    undefine: async () => {
      await virshOk(['undefine', uuid]);
    },
    consoleLog: () => readFileSync(files.consoleLog, 'utf8'),
  };
}

/** The kernel's memory notifier error injection (Documentation/fault-injection/notifier-error-inject.rst). */
const REFUSAL = '/sys/kernel/debug/notifier-error-inject/memory/actions/MEM_GOING_OFFLINE/error';

/** Prints the numbers of movable blocks that are online and have no page pinned; of all, when nobody pins. */
const UNPINNED_BLOCKS = `cd /sys/devices/system/memory; for block in memory[0-9]*; do
grep -q '^Movable' $block/valid_zones && grep -q '^online' $block/state && ! grep -qx "\${block#memory}" /tmp/pinned && echo $block
done 2>/dev/null`;

async function useMemory(
  sh: LabGuest['sh'],
  quick: LabGuest['quick'],
  how: 'hold' | 'lock',
  mib: number,
): Promise<MemoryUse> {
  // It says "holding" through a pipe, or the pipe ends with it: nobody has to ask, which would take its processor.
  const begin = `p=/tmp/hold.$$; mkfifo $p; labtool ${how} ${mib} >$p 2>&1 & echo $!; read line <$p; rm $p; echo "$line"`;
  const { out } = await sh(begin, 60_000);
  const [pid = '', said = ''] = out.trim().split('\n');
  const isAlive = async (): Promise<boolean> => (await quick(`grep -q '^State:.[^ZX]' /proc/${pid}/status`)).code === 0;
  if (said !== 'holding') throw new Error(`the process that should use ${mib} MiB in the guest ended: ${out}`);
  return {
    pid: Number(pid),
    isAlive,
    free: async () => {
      await quick(`kill -9 ${pid}`);
      await waitFor(async () => !(await isAlive()), { what: `process ${pid} in the guest to end`, timeoutMs: 10_000 });
    },
  };
}

async function useTmpfs(shOk: LabGuest['shOk'], mib: number): Promise<TmpfsUse> {
  const directory = '/tmp/used';
  // Each MiB is the first one again: one process writes them all, where one for each would take most of the time.
  const seed = '/tmp/used.seed';
  await shOk(`mkdir ${directory} && mount -t tmpfs -o size=${mib}m,huge=always tmpfs ${directory}`);
  await shOk(`dd if=/dev/urandom of=${seed} bs=1M count=1 2>/dev/null`);
  await shOk(
    `i=0; while [ $i -lt ${mib} ]; do seeds="$seeds ${seed}"; i=$((i+1)); done; cat $seeds >${directory}/file`,
    60_000,
  );
  const sums =
    `for i in $(seq 0 10 ${mib - 1}); do dd if=${directory}/file bs=1M skip=$i count=1 2>/dev/null | md5sum; done | sort -u; ` +
    `stat -c %s ${directory}/file`;
  const written = (await shOk(`md5sum <${seed}`)).trim();
  return {
    isWhole: async () => (await shOk(sums, 60_000)).trim() === `${written}\n${mib * 1024 * 1024}`,
    free: async () => {
      await shOk(`umount ${directory} && rmdir ${directory} && rm ${seed}`);
    },
  };
}
