import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createControlGroups, removeControlGroups } from './control-groups.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { createLabDirectory, removeLabDirectory } from './directory.ts';
import { writeMachineEtc } from './machine-etc.ts';
import { childrenOf } from './namespaces.ts';
import { type PortRelay, startPortRelay, startPortShow } from './port-relay.ts';
import { type CommandResult, run, type RunOptions, runOk } from './run.ts';
import { GiveUp, waitFor } from './wait.ts';

/**
 * A machine that a real systemd runs: the programs of this one, with files, users, services, process ids and a network
 * of its own, so that what is installed in it may have the ports that it has by default. Nothing of this machine's /etc,
 * and none of its services, is in it.
 */
export type LabMachine = {
  readonly directory: string;
  /** Process id of systemd, which in the machine is 1; another one after a reboot. */
  readonly initPid: number;
  /** The machine's /etc, seen from out here. */
  readonly etcDirectory: string;
  /** With `guests`: a directory that has the same path in the machine, and which processes in there may write to. */
  readonly guestsDirectory: string;
  /** The /run/libvirt of a machine whose libvirt runs beside it, seen from out here. */
  readonly libvirtDirectory: string;
  /** Runs a command in the machine as root; nothing of the environment goes with it. */
  readonly run: (command: string, args?: readonly string[], options?: RunOptions) => Promise<CommandResult>;
  /** As `run`, but a non-zero exit is an error; gives stdout. */
  readonly runOk: (command: string, args?: readonly string[], options?: RunOptions) => Promise<string>;
  /** A port of 127.0.0.1 out here that leads to one of 127.0.0.1 in the machine. */
  readonly relayPort: (port: number) => Promise<number>;
  /** Makes a port of 127.0.0.1 out here the same one in the machine. */
  readonly showPort: (port: number) => Promise<void>;
  /** Where a directory that the machine keeps lies out here. */
  readonly keptDirectory: (path: string) => string;
  /** Runs a shell command in the machine now, and in its file system at each boot from now on, before systemd begins. */
  readonly atEachBoot: (command: string) => Promise<void>;
  /**
   * Reboots as `systemctl reboot` does, and waits until systemd has shut everything down in its own order and is up again. What lies in /etc,
   * in `guestsDirectory` and in the directories that it `keeps` is as it was, and ports that were relayed still are.
   */
  readonly reboot: () => Promise<void>;
  /** Ends every process in the machine and removes its files. */
  readonly stop: () => Promise<void>;
};

export type MachineOptions = {
  /** Files and directories of this machine, by the paths at which the lab machine shows them. */
  readonly shows?: Readonly<Record<string, string>>;
  /** Where its libvirt runs: one of the lab's beside it, seen in /run/libvirt (the default), or one of its own. */
  readonly hypervisor?: 'beside' | 'inside';
  /** Whether guests run in it; false when left out. */
  readonly guests?: boolean;
  /** Directories of the machine, beside /etc, that outlast a reboot. */
  readonly keeps?: readonly string[];
};

/** Flags of unshare(1); the namespace for control groups is made by machine-init.sh, once it is in its groups. */
const NAMESPACES = ['--mount', '--pid', '--uts', '--ipc', '--net'] as const;
const INIT = join(import.meta.dirname, 'machine-init.sh');
const BOOT_TIMEOUT_MS = 60_000;
/** systemd waits 90 s for a service that doesn't end, and without limit for libvirt-guests. */
const REBOOT_TIMEOUT_MS = 150_000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Starts a machine and waits until systemd says that it is up (0.3 s on an idle machine). Needs root. */
export async function startMachine(options: MachineOptions = {}): Promise<LabMachine> {
  const directory = createLabDirectory();
  let boot: Boot | undefined;
  try {
    prepareDirectory(directory, options);
    boot = await bootMachine(directory);
    const machine = machineOf(directory, boot, options.keeps ?? []);
    await waitUntilUp(machine, boot.daemon);
    return machine;
  } catch (error) {
    await boot?.daemon.stop();
    removeLabDirectory(directory);
    throw error;
  }
}

type Boot = { readonly daemon: Daemon; readonly initPid: number };

async function bootMachine(directory: string): Promise<Boot> {
  writeGroups(directory);
  const daemon = await startDaemon({
    name: 'the lab machine',
    command: 'unshare',
    args: [...NAMESPACES, '--mount-proc', '--fork', '--kill-child', 'sh', INIT, directory],
    logFile: join(directory, 'machine.log'),
  });
  try {
    return { daemon, initPid: await findSystemd(daemon) };
  } catch (error) {
    await daemon.stop();
    throw error;
  }
}

/** What machine-init.sh finds in the lab's directory, whichever boot it is. */
function prepareDirectory(directory: string, options: MachineOptions): void {
  for (const name of ['root', 'libvirt', 'guests', 'kept']) mkdirSync(join(directory, name), { mode: 0o755 });
  writeMachineEtc(join(directory, 'etc'));
  const beside = options.hypervisor === 'inside' ? {} : { '/run/libvirt': join(directory, 'libvirt') };
  const shows = Object.entries({ ...options.shows, ...beside });
  const keeps = options.keeps ?? [];
  const kept = keeps.map((path) => [path, keptDirectory(directory, keeps, path)] as const);
  for (const [, source] of kept) mkdirSync(source, { mode: 0o755 });
  writeLines(directory, 'at-boot', []);
  const bind = ([target, source]: readonly [string, string]): string => `${source} ${target}`;
  writeLines(directory, 'binds', shows.map(bind));
  const guests = join(directory, 'guests');
  const shared = options.guests === true ? [[guests, guests] as const] : [];
  writeLines(directory, 'writable-binds', [...shared, ...kept].map(bind));
}

const keptDirectory = (directory: string, keeps: readonly string[], path: string): string => {
  if (!keeps.includes(path)) throw new Error(`${path} does not outlast a reboot of the machine`);
  return join(directory, 'kept', String(keeps.indexOf(path)));
};

/** Those of an earlier boot have gone with its processes, but for their names. */
function writeGroups(directory: string): void {
  removeControlGroups(directory);
  writeLines(
    directory,
    'control-groups',
    createControlGroups(directory).map((group) =>
      [group.directory, group.mountPoint, group.type, group.mountOptions].join(' '),
    ),
  );
}

const writeLines = (directory: string, name: string, lines: readonly string[]): void =>
  writeFileSync(join(directory, name), lines.map((line) => `${line}\n`).join(''));

function machineOf(directory: string, first: Boot, keeps: readonly string[]): LabMachine {
  let boot = first;
  const enter = (): string[] => {
    const namespaces = [`--target=${boot.initPid}`, ...NAMESPACES, '--cgroup', '--root'];
    return [...namespaces, '--', 'env', '--ignore-environment', '--chdir=/', `PATH=${PATH}`];
  };
  const relays: PortRelay[] = [];
  const endRelays = () => Promise.all(relays.splice(0).map((relay) => relay.stop()));
  const machine: LabMachine = {
    directory,
    get initPid() {
      return boot.initPid;
    },
    etcDirectory: join(directory, 'etc'),
    guestsDirectory: join(directory, 'guests'),
    libvirtDirectory: join(directory, 'libvirt'),
    keptDirectory: (path) => keptDirectory(directory, keeps, path),
    run: (command, args = [], options = {}) => run('nsenter', [...enter(), command, ...args], options),
    runOk: (command, args = [], options = {}) => runOk('nsenter', [...enter(), command, ...args], options),
    relayPort: async (port) => {
      const relay = await startPortRelay({ pid: boot.initPid, port, directory });
      relays.push(relay);
      return relay.port;
    },
    showPort: async (port) => {
      relays.push(await startPortShow({ pid: boot.initPid, port, directory }));
    },
    atEachBoot: async (command) => {
      await machine.runOk('sh', ['-euc', command]);
      appendFileSync(join(directory, 'at-boot'), `${command}\n`);
    },
    reboot: async () => {
      const { daemon } = boot;
      // What logind does when it is told to; the machine has none. It may be ended before it has said that it was heard.
      const job = ['--job-mode=replace-irreversibly', '--no-block', 'start', 'reboot.target'];
      const asked = await machine.run('systemctl', job);
      await waitFor(() => daemon.ended() !== null, {
        ...{ what: 'systemd to shut the machine down', timeoutMs: REBOOT_TIMEOUT_MS, intervalMs: 50 },
        details: () => `${asked.stdout}${asked.stderr}\n${daemon.logTail()}`,
      });
      boot = await bootMachine(directory);
      await Promise.all(relays.map((relay) => relay.moveTo(boot.initPid)));
      await waitUntilUp(machine, boot.daemon);
    },
    stop: async () => {
      await endRelays();
      // The kernel ends the whole namespace before the init's parent hears of its end (pid_namespaces(7)).
      if (boot.daemon.ended() === null) process.kill(boot.initPid, 'SIGKILL');
      await boot.daemon.whenEnded;
      removeLabDirectory(directory);
    },
  };
  return machine;
}

/** Process id of systemd. Before that it is a shell, which sees this machine's root: no command may run beside it. */
function findSystemd(daemon: Daemon): Promise<number> {
  return waitFor(
    () => {
      if (daemon.ended() !== null) throw new GiveUp(`it ended with ${daemon.ended() ?? ''}\n${daemon.logTail()}`);
      const [pid] = childrenOf(daemon.pid);
      return pid !== undefined && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'systemd\n' && pid;
    },
    { what: 'a file system for the lab machine', timeoutMs: BOOT_TIMEOUT_MS, intervalMs: 10, details: daemon.logTail },
  );
}

async function waitUntilUp(machine: LabMachine, daemon: Daemon): Promise<void> {
  let state = '';
  await waitFor(
    async () => {
      if (daemon.ended() !== null) throw new GiveUp(`it ended with ${daemon.ended() ?? ''}\n${daemon.logTail()}`);
      state = (await machine.run('systemctl', ['is-system-running'])).stdout.trim();
      if (state === 'degraded') {
        throw new GiveUp((await machine.run('systemctl', ['--failed', '--no-pager'])).stdout);
      }
      return state === 'running';
    },
    { what: 'systemd to be up', timeoutMs: BOOT_TIMEOUT_MS, details: () => `${state}\n${daemon.logTail()}` },
  );
}
