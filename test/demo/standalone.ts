/** `dimmer standalone` as somebody at a terminal has it: the built program, a directory of manifests, an editor. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { answer, command } from './narrator.ts';

const program = join(import.meta.dirname, '../../dist/cmd/main.js');
const waitMs = 10_000;

/** The VMs that `--simulated-vms demo` has, by the last digit of their uuid. */
const machines = { web: 1, db: 2, cache: 3 } as const;
export type Machine = keyof typeof machines;

export class DemoStandalone {
  readonly root = mkdtempSync(join(tmpdir(), 'dimmer-demo-'));
  readonly #manifests = join(this.root, 'vms');
  readonly #state = join(this.root, 'state');
  #process: ChildProcess | null = null;

  /** Starts it, and waits until it follows the manifests. */
  async start(): Promise<void> {
    mkdirSync(this.#manifests, { recursive: true });
    command('dimmer standalone --manifests vms/ --driver simulated --simulated-vms demo &');
    const log = openSync(join(this.root, 'log'), 'a');
    const options = ['--manifests', this.#manifests, '--driver', 'simulated', '--simulated-vms', 'demo'];
    const child = spawn(process.execPath, [program, 'standalone', ...options, '--state-dir', this.#state], {
      stdio: ['ignore', 'ignore', log],
    });
    closeSync(log);
    this.#process = child;
    await this.#until('dimmer standalone to be ready', () => this.#log().includes(`"standalone is ready"`));
  }

  /** Runs `dimmer console` at this terminal until it ends, or `signal`. */
  async console(signal: AbortSignal): Promise<void> {
    command('dimmer console');
    const child = spawn(process.execPath, [program, 'console', '--state-dir', this.#state], { stdio: 'inherit' });
    signal.addEventListener('abort', () => child.kill());
    await once(child, 'exit');
  }

  /** SIGKILL: it has no time to put anything in order. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    this.#process = null;
    // What comes is said by the next one.
    rmSync(join(this.root, 'log'));
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Writes a manifest as an editor does: beside the old one, which it then replaces. */
  edit(name: Machine, memory: string, more: Readonly<Record<string, string>> = {}): void {
    const extra = Object.entries(more).map(([key, value]) => `, ${key}: ${value}`);
    command(`$EDITOR vms/${name}.yaml      # spec: { ..., memory: ${memory}${extra.join('')} }`);
    const lines = Object.entries({ memory, ...more }).map(([key, value]) => `  ${key}: ${value}\n`);
    const text = `apiVersion: dimmer.dev/v1alpha1
kind: VirtualMachineMemory
metadata:
  name: ${name}
spec:
  virtualMachine:
    uuid: 00000000-0000-4000-8000-0000000000d${machines[name]}
${lines.join('')}`;
    const file = join(this.#manifests, `${name}.yaml`);
    writeFileSync(`${file}.new`, text, { flush: true });
    renameSync(`${file}.new`, file);
  }

  /** Runs `dimmer status` and shows what it says. */
  status(name?: Machine): string {
    const args = ['status', ...(name === undefined ? [] : [name])];
    command(`dimmer ${args.join(' ')}`);
    const { stdout, stderr } = spawnSync(process.execPath, [program, ...args, '--state-dir', this.#state], {
      encoding: 'utf8',
    });
    answer(stdout + stderr);
    return stdout;
  }

  /** The resource as `dimmer status NAME -o json` gives it; undefined: there is none yet. */
  read(name: Machine): VirtualMachineMemory | undefined {
    try {
      const file = join(this.#state, 'virtualmachinememories/default', name, 'resource.json');
      return JSON.parse(readFileSync(file, 'utf8')) as VirtualMachineMemory;
    } catch {
      return undefined;
    }
  }

  /** Waits until its Ready condition has this reason for what the manifest says now. */
  async reaches(name: Machine, reason: string, memory: string): Promise<VirtualMachineMemory> {
    await this.#until(`${name} to say ${reason}`, () => {
      const { spec, status, metadata } = this.read(name) ?? {};
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      return spec?.memory === memory && status?.observedGeneration === metadata?.generation && ready?.reason === reason;
    });
    const resource = this.read(name);
    if (resource === undefined) throw new Error(`${name} has gone`);
    return resource;
  }

  /** Waits until the guest is asked for a module; the status tells of it a moment later. */
  async isAsked(name: Machine): Promise<void> {
    await this.#until(`${name} to be asked for a module`, () => {
      const text = readFileSync(join(this.#state, 'simulated-host.json'), 'utf8');
      const { domains } = JSON.parse(text) as { readonly domains: readonly { name: string; operations: object }[] };
      const machine = domains.find((domain) => domain.name === name);
      return JSON.stringify(machine?.operations).includes('"leaving"');
    });
  }

  async #until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + waitMs;
    while (!isSo()) {
      if (this.#process !== null && this.#process.exitCode !== null)
        throw new Error(`dimmer standalone ended:\n${this.#log()}`);
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}:\n${this.#log()}`);
      await delay(5);
    }
  }

  #log(): string {
    return readFileSync(join(this.root, 'log'), 'utf8');
  }
}
