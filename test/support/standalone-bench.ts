/** `dimmer standalone` without its process: the hub over real directories, a whole controller, and a simulated host. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { findCondition } from '../../src/api/v1alpha1/conditions.ts';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { type Controller, createController } from '../../src/controllers/controller.ts';
import type { SimulatedDomainSpec } from '../../src/host/simulated/domain-spec.ts';
import type { SimulatedHost } from '../../src/host/simulated/script.ts';
import { createSimulatedHost } from '../../src/host/simulated/simulated-host.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createStandalone, type Standalone } from '../../src/standalone/hub.ts';

export const vmUuid = '6f0c1a52-6a0e-4c0e-9c50-6e6f0f3d2a11';

/** A manifest of `name`, whose VM is {@link vmUuid}. */
export const manifest = (memory: string, name = 'db-1', more = ''): string => `apiVersion: dimmer.dev/v1alpha1
kind: VirtualMachineMemory
metadata:
  name: ${name}
spec:
  virtualMachine:
    uuid: ${vmUuid}
${more}  memory: ${memory}
`;

export class StandaloneBench {
  readonly root = mkdtempSync(join(tmpdir(), 'dimmer-standalone-'));
  readonly manifests = join(this.root, 'manifests');
  state = join(this.root, 'state');
  readonly host: SimulatedHost;
  hub: Standalone | null = null;
  #controller: Controller | null = null;

  constructor(domains: readonly SimulatedDomainSpec[] = [{ uuid: vmUuid, name: 'db' }]) {
    mkdirSync(this.manifests);
    this.host = createSimulatedHost({ clock: systemClock, domains });
  }

  async start(): Promise<this> {
    const parts = { clock: systemClock, logger: silentLogger };
    this.hub = createStandalone({ manifests: this.manifests, state: this.state, ...parts });
    await this.hub.start();
    this.#controller = createController({
      ...parts,
      hub: this.hub,
      clusterId: await this.hub.clusterId(),
      // It outlasts a process of ours.
      connect: () => ({ ...this.host, close: () => Promise.resolve() }),
      random: Math.random,
      registry: new Registry(),
      concurrency: 4,
      observeOnly: false,
    });
    this.#controller.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.#controller?.close(1_000);
    await this.hub?.close();
    this.hub = null;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.host.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.manifests, name);
  }

  /** As a careful editor does it: written elsewhere, then renamed. */
  rename(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    const aside = join(this.root, 'aside');
    writeFileSync(aside, text, { flush: true });
    const before = Date.now();
    // The clock of the file system has moved on since the last byte.
    while (Date.now() - before < 8);
    renameSync(aside, this.path(name));
  }

  /** As a careless one does it: byte by byte where it stands, with pauses in the middle and at the end of every line. */
  async type(name: string, text: string, pauseMs = 20): Promise<void> {
    writeFileSync(this.path(name), '');
    const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
    const pieces = lines.flatMap((line) => [line.slice(0, line.length / 2), line.slice(line.length / 2)]);
    for (const piece of pieces) {
      for (const byte of piece) writeFileSync(this.path(name), byte, { flag: 'a' });
      await delay(pauseMs);
    }
  }

  resource(name = 'db-1', namespace = 'default'): VirtualMachineMemory | undefined {
    return this.hub?.virtualMachineMemories.get(`${namespace}/${name}`);
  }

  reason(name = 'db-1'): string | undefined {
    const { status, metadata } = this.resource(name) ?? {};
    if (status?.observedGeneration !== metadata?.generation) return undefined;
    return findCondition(status?.conditions, 'Ready')?.reason;
  }

  /** What the VM has, in MiB. */
  total(uuid = vmUuid): number {
    return this.host.script.total(uuid) / 2 ** 20;
  }

  /** Sizes that modules had when they were plugged or asked for, in MiB. */
  changes(): readonly string[] {
    return this.host.script.changes().map(({ what, size }) => `${what} ${size / 2 ** 20}`);
  }

  problems(): readonly string[] {
    return (this.hub?.problems ?? []).map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`);
  }
}
