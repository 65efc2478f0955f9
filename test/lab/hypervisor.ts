import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { restoreCapabilities, saveCapabilities } from './capabilities-cache.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { createLabDirectory, removeLabDirectory } from './directory.ts';
import { configureHypervisor, type HypervisorConfiguration, type HypervisorOptions } from './hypervisor-config.ts';
import type { LabMachine } from './machine.ts';
import { childrenOf, commandLineOf, NAMESPACES, processesInNamespaceOf } from './namespaces.ts';
import { type CommandResult, run, runOk } from './run.ts';
import { GiveUp, waitFor } from './wait.ts';

/**
 * A libvirtd of the lab's own, in mount, network and process-id namespaces of its own: it can be killed and restarted
 * at will, and the host's daemon never knows. The file system is the host's, except libvirt's directories.
 */
export type LabHypervisor = {
  readonly directory: string;
  /** libvirtd's socket for reading and writing, reachable from outside the namespaces. */
  readonly socketPath: string;
  readonly socketDirectory: string;
  /** For virsh and other users of libvirt's library. */
  readonly uri: string;
  /** The port of 127.0.0.1 on which it takes TLS; null without that option. */
  readonly tlsPort: number | null;
  readonly virsh: (args: readonly string[], timeoutMs?: number) => Promise<CommandResult>;
  /** As `virsh`, but a non-zero exit is an error; gives stdout. */
  readonly virshOk: (args: readonly string[], timeoutMs?: number) => Promise<string>;
  /** Process id of libvirtd; throws when it is not running. */
  readonly daemonPid: () => number;
  /** Process id of the QEMU of a domain, by its uuid; throws when there is none. */
  readonly qemuPid: (uuid: string) => number;
  /** Ends libvirtd (SIGKILL when left out) and waits until it is gone; guests go on. */
  readonly killDaemon: (signal?: 'SIGKILL' | 'SIGTERM') => Promise<void>;
  /** Starts libvirtd, if it does not run, and waits until it answers. */
  readonly startDaemon: () => Promise<void>;
  /** Stops libvirtd in its tracks: connections stay open, nothing is answered. */
  readonly freezeDaemon: () => void;
  readonly thawDaemon: () => void;
  /** A command line that runs in the hypervisor's namespaces. */
  readonly commandInside: (command: string, args: readonly string[]) => [string, string[]];
  readonly daemonLog: () => string;
  /** The processes that run now in the hypervisor's namespaces, by their ids out here. */
  readonly pids: () => number[];
  /** Ends libvirtd, every guest and whatever else lives in the namespaces. */
  readonly stop: () => Promise<void>;
};

const READY_TIMEOUT_MS = 60_000;
const SHARED_NETWORK = NAMESPACES.filter((flag) => flag !== '--net');

/** Starts a hypervisor without guests. Needs root. */
export async function startHypervisor(options: HypervisorOptions = {}): Promise<LabHypervisor> {
  const directory = createLabDirectory();
  try {
    const configuration = await configureHypervisor(directory, options);
    restoreCapabilities(join(directory, 'cache'));
    const flags = configuration.tlsPort === null ? NAMESPACES : SHARED_NETWORK;
    const namespaces = await startNamespaces(directory, flags, options.machine);
    const hypervisor = hypervisorOf(directory, namespaces, configuration);
    try {
      await hypervisor.startDaemon();
    } catch (error) {
      await hypervisor.stop();
      throw error;
    }
    return hypervisor;
  } catch (error) {
    removeLabDirectory(directory);
    throw error;
  }
}

type Namespaces = { readonly daemon: Daemon; readonly initPid: number; readonly flags: readonly string[] };

async function startNamespaces(
  directory: string,
  flags: readonly string[],
  machine: LabMachine | undefined,
): Promise<Namespaces> {
  const script = join(import.meta.dirname, 'hypervisor-init.sh');
  const unshare = ['unshare', ...flags, '--fork', '--kill-child', '--mount-proc', 'sh', script, directory];
  // A process-id namespace within the machine's: its systemd, and every service, sees QEMU's processes.
  const [command = '', ...args] =
    machine === undefined ? unshare : ['nsenter', `--target=${machine.initPid}`, '--pid', '--', ...unshare];
  const logFile = join(directory, 'namespaces.log');
  const daemon = await startDaemon({ name: 'the namespaces of libvirtd', command, args, logFile });
  const initPid = await waitFor(
    () => {
      if (daemon.ended() !== null) throw new GiveUp(`unshare ended with ${daemon.ended() ?? ''}\n${daemon.logTail()}`);
      if (!existsSync(join(directory, 'ready'))) return undefined;
      const [child] = childrenOf(daemon.pid);
      // nsenter stays outside and waits for unshare, its only child.
      return machine === undefined || child === undefined ? child : childrenOf(child)[0];
    },
    { what: 'the namespaces of libvirtd', timeoutMs: READY_TIMEOUT_MS, intervalMs: 10, details: daemon.logTail },
  );
  return { daemon, initPid, flags };
}

function hypervisorOf(
  directory: string,
  { daemon: namespaces, initPid, flags }: Namespaces,
  configuration: HypervisorConfiguration,
): LabHypervisor {
  const socketDirectory = join(directory, 'run');
  const socketPath = join(socketDirectory, 'libvirt-sock');
  const uri = `qemu+unix:///system?socket=${socketPath}`;
  const commandInside = (command: string, args: readonly string[]): [string, string[]] => [
    'nsenter',
    [`--target=${initPid}`, ...flags, '--root', '--', command, ...args],
  ];
  let libvirtd: Daemon | undefined;
  const running = (): Daemon => {
    if (libvirtd?.ended() !== null) throw new Error('libvirtd is not running');
    return libvirtd;
  };
  // nsenter stays outside and waits for libvirtd, its only child.
  const daemonPid = (): number => {
    const [pid] = childrenOf(running().pid);
    if (pid === undefined) throw new Error('libvirtd is not running');
    return pid;
  };
  const start = async (): Promise<void> => {
    if (libvirtd?.ended() === null) return;
    rmSync(socketPath, { force: true });
    const [command, args] = commandInside('libvirtd', configuration.libvirtdArgs);
    const started = await startDaemon({ name: 'libvirtd', command, args, logFile: join(directory, 'libvirtd.log') });
    libvirtd = started;
    await waitUntilAnswering(started, socketPath, uri);
  };
  return {
    directory,
    socketPath,
    socketDirectory,
    uri,
    tlsPort: configuration.tlsPort,
    virsh: (args, timeoutMs = 60_000) => run('virsh', ['--connect', uri, ...args], { timeoutMs }),
    virshOk: (args, timeoutMs = 60_000) => runOk('virsh', ['--connect', uri, ...args], { timeoutMs }),
    daemonPid,
    qemuPid: (uuid) => {
      const qemu = processesInNamespaceOf(initPid).find((pid) => commandLineOf(pid).includes(`-uuid ${uuid}`));
      if (qemu === undefined) throw new Error(`no QEMU runs domain ${uuid}`);
      return qemu;
    },
    killDaemon: async (signal = 'SIGKILL') => {
      const ending = running();
      process.kill(daemonPid(), signal);
      await ending.whenEnded;
    },
    startDaemon: start,
    freezeDaemon: () => process.kill(daemonPid(), 'SIGSTOP'),
    thawDaemon: () => {
      process.kill(daemonPid(), 'SIGCONT');
      // nsenter(1) stops itself when its child is stopped.
      running().kill('SIGCONT');
    },
    commandInside,
    pids: () => processesInNamespaceOf(initPid),
    daemonLog: () => libvirtd?.logTail() ?? '(libvirtd was not started)',
    stop: async () => {
      saveCapabilities(join(directory, 'cache'));
      // The kernel ends the whole namespace before the init's parent hears of its end (pid_namespaces(7)).
      if (namespaces.ended() === null) process.kill(initPid, 'SIGKILL');
      await namespaces.whenEnded;
      await libvirtd?.whenEnded;
      removeLabDirectory(directory);
    },
  };
}

async function waitUntilAnswering(libvirtd: Daemon, socketPath: string, uri: string): Promise<void> {
  await waitFor(
    async () => {
      if (libvirtd.ended() !== null) {
        throw new GiveUp(`libvirtd ended with ${libvirtd.ended() ?? ''}\n${libvirtd.logTail()}`);
      }
      // It listens before its drivers work, or fail to; only an answer from a driver says which.
      return (
        existsSync(socketPath) && (await run('virsh', ['--connect', uri, 'list'], { timeoutMs: 10_000 })).code === 0
      );
    },
    { what: 'libvirtd to answer', timeoutMs: READY_TIMEOUT_MS, intervalMs: 20, details: libvirtd.logTail },
  );
}
