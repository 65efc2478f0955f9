import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createControlGroups } from './control-groups.ts';
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
  /** Process id of systemd, which in the machine is 1. */
  readonly initPid: number;
  /** The machine's /etc, seen from out here. */
  readonly etcDirectory: string;
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
  /** Ends every process in the machine and removes its files. */
  readonly stop: () => Promise<void>;
};

export type MachineOptions = {
  /** Files and directories of this machine, by the paths at which the lab machine shows them. */
  readonly shows?: Readonly<Record<string, string>>;
  /** Where its libvirt runs: one of the lab's beside it, seen in /run/libvirt (the default), or one of its own. */
  readonly hypervisor?: 'beside' | 'inside';
};

/** Flags of unshare(1); the namespace for control groups is made by machine-init.sh, once it is in its groups. */
const NAMESPACES = ['--mount', '--pid', '--uts', '--ipc', '--net'] as const;
const INIT = join(import.meta.dirname, 'machine-init.sh');
const BOOT_TIMEOUT_MS = 60_000;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Starts a machine and waits until systemd says that it is up (0.3 s on an idle machine). Needs root. */
export async function startMachine(options: MachineOptions = {}): Promise<LabMachine> {
  const directory = createLabDirectory();
  let daemon: Daemon | undefined;
  try {
    prepareDirectory(directory, options);
    daemon = await startDaemon({
      name: 'the lab machine',
      command: 'unshare',
      args: [...NAMESPACES, '--mount-proc', '--fork', '--kill-child', 'sh', INIT, directory],
      logFile: join(directory, 'machine.log'),
    });
    const machine = machineOf(directory, daemon, await findSystemd(daemon));
    await waitUntilUp(machine, daemon);
    return machine;
  } catch (error) {
    await daemon?.stop();
    removeLabDirectory(directory);
    throw error;
  }
}

/** What machine-init.sh finds in the lab's directory. */
function prepareDirectory(directory: string, options: MachineOptions): void {
  for (const name of ['root', 'libvirt']) mkdirSync(join(directory, name), { mode: 0o755 });
  writeMachineEtc(join(directory, 'etc'));
  const beside = options.hypervisor === 'inside' ? {} : { '/run/libvirt': join(directory, 'libvirt') };
  const shows = Object.entries({ ...options.shows, ...beside });
  const groups = createControlGroups(directory);
  const write = (name: string, lines: readonly string[]): void =>
    writeFileSync(join(directory, name), lines.map((line) => `${line}\n`).join(''));
  write(
    'binds',
    shows.map(([target, source]) => `${source} ${target}`),
  );
  write(
    'control-groups',
    groups.map((group) => [group.directory, group.mountPoint, group.type, group.mountOptions].join(' ')),
  );
}

function machineOf(directory: string, daemon: Daemon, initPid: number): LabMachine {
  const namespaces = [`--target=${initPid}`, ...NAMESPACES, '--cgroup', '--root'];
  const enter = [...namespaces, '--', 'env', '--ignore-environment', '--chdir=/', `PATH=${PATH}`];
  const relays: PortRelay[] = [];
  return {
    directory,
    initPid,
    etcDirectory: join(directory, 'etc'),
    libvirtDirectory: join(directory, 'libvirt'),
    run: (command, args = [], options = {}) => run('nsenter', [...enter, command, ...args], options),
    runOk: (command, args = [], options = {}) => runOk('nsenter', [...enter, command, ...args], options),
    relayPort: async (port) => {
      const relay = await startPortRelay({ pid: initPid, port, directory });
      relays.push(relay);
      return relay.port;
    },
    showPort: async (port) => {
      relays.push(await startPortShow({ pid: initPid, port, directory }));
    },
    stop: async () => {
      await Promise.all(relays.map((relay) => relay.stop()));
      // The kernel ends the whole namespace before the init's parent hears of its end (pid_namespaces(7)).
      if (daemon.ended() === null) process.kill(initPid, 'SIGKILL');
      await daemon.whenEnded;
      removeLabDirectory(directory);
    },
  };
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
