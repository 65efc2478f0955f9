/** `dimmer standalone` as it ships on a lab's libvirtd: its directories, its process, and what it says. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { findCondition } from '../../src/api/v1alpha1/conditions.ts';
import { type Daemon, startDaemon } from '../lab/daemon.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import type { LabHypervisor } from '../lab/hypervisor.ts';
import { waitFor } from '../lab/wait.ts';
import { builtMain, type Ran, runProgram } from './built-program.ts';

/** The machine under the lab is small and shared: the guests' memory is never really used up. */
const localhost = `apiVersion: dimmer.dev/v1alpha1
kind: HypervisorHost
metadata: {name: localhost}
spec:
  address: https://localhost
  allowedNamespaces: {from: All}
  memoryReserve: 256Mi
  memoryOvercommit: "8.0"
`;

type Machine = Pick<LabGuest, 'name' | 'uuid'>;

export class StandaloneProcess {
  readonly manifests: string;
  state: string;
  readonly #logFile: string;
  readonly #uri: string;
  readonly #env: Readonly<Record<string, string>>;
  #daemon: Daemon | null = null;
  /** Where the log begins of the process that runs now. */
  #logStart = 0;

  /** In new directories below `root`; nothing runs yet. @param env of the process, beside that of this one */
  constructor(lab: LabHypervisor, root: string, env: Readonly<Record<string, string>> = {}) {
    this.manifests = join(root, 'manifests');
    this.state = join(root, 'state');
    this.#logFile = join(root, 'standalone.log');
    this.#uri = `qemu:///system?socket=${lab.socketPath}`;
    this.#env = env;
    mkdirSync(this.manifests, { recursive: true });
    writeFileSync(this.#logFile, '');
    this.rename('localhost.yaml', localhost);
  }

  get pid(): number {
    if (this.#daemon === null) throw new Error('standalone does not run');
    return this.#daemon.pid;
  }

  /** Starts it and waits until it is ready; gives how long that took, ms. */
  async start(): Promise<number> {
    this.#logStart = readFileSync(this.#logFile, 'utf8').length;
    const startedAt = performance.now();
    this.#daemon = await startDaemon({
      name: 'dimmer standalone',
      command: process.execPath,
      args: [
        ...[builtMain, 'standalone', `--manifests=${this.manifests}`, `--state-dir=${this.state}`],
        `--libvirt-uri=${this.#uri}`,
      ],
      logFile: this.#logFile,
      env: this.#env,
    });
    await waitFor(() => this.log().includes('standalone is ready'), {
      what: 'standalone to be ready',
      timeoutMs: 20_000,
      intervalMs: 2,
      details: () => this.log(),
    });
    return performance.now() - startedAt;
  }

  /** SIGKILL: it has no time to put anything in order. */
  async kill(): Promise<void> {
    this.#daemon?.kill('SIGKILL');
    await this.#daemon?.whenEnded;
    this.#daemon = null;
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop(15_000);
    this.#daemon = null;
  }

  /** What the process that runs now has logged. */
  log(): string {
    return readFileSync(this.#logFile, 'utf8').slice(this.#logStart);
  }

  /** Writes a file as a careful editor does: beside the old one, which it then replaces. */
  rename(name: string, text: string): void {
    writeFileSync(join(this.manifests, `.${name}`), text, { flush: true });
    renameSync(join(this.manifests, `.${name}`), join(this.manifests, name));
  }

  /** Writes the manifest of a VM. @param more further lines of its spec */
  wish(machine: Machine, memory: string, more = ''): void {
    this.rename(
      `${machine.name}.yaml`,
      `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata: {name: ${machine.name}}\nspec:\n  virtualMachine: {uuid: ${machine.uuid}}\n  growPolicy: Whole\n  memory: ${memory}\n${more}`,
    );
  }

  /** The resource as the state directory has it. @throws where there is none */
  read({ name }: Machine): VirtualMachineMemory {
    const file = join(this.state, `virtualmachinememories/default/${name}/resource.json`);
    return JSON.parse(readFileSync(file, 'utf8')) as VirtualMachineMemory;
  }

  ready(machine: Machine) {
    return findCondition(this.read(machine).status?.conditions, 'Ready');
  }

  /** Waits until Ready has this reason for the size that the manifest says now. */
  reaches(machine: Machine, reason: string, memory: string, timeoutMs = 60_000): Promise<VirtualMachineMemory> {
    return waitFor(
      () => {
        const resource = this.read(machine);
        const { spec, status, metadata } = resource;
        const isCurrent = status?.observedGeneration === metadata.generation;
        const isSo = findCondition(status?.conditions, 'Ready')?.reason === reason;
        return spec.memory === memory && isCurrent && isSo && resource;
      },
      {
        what: `${machine.name} to say ${reason} of ${memory}`,
        timeoutMs,
        details: () => `${JSON.stringify(this.ready(machine))}\n${this.log().slice(-4_000)}`,
      },
    );
  }

  /** `dimmer status`, of this state directory. */
  status(...args: readonly string[]): Promise<Ran> {
    return runProgram(['status', ...args, `--state-dir=${this.state}`]);
  }

  /** Ends the claim on a VM, as an admin does: another instance may then have it. */
  async release({ uuid }: Machine): Promise<void> {
    const { exit, stderr } = await runProgram(['agent', 'release', uuid, `--libvirt-uri=${this.#uri}`]);
    if (exit !== 0) throw new Error(`the claim on ${uuid} is not released: ${stderr}`);
  }
}
