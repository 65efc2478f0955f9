/** One guest, and agents between which and libvirtd a test can step in: what tests of changes that are cut off share. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { DomainObservation, Host, ObservedModule } from '../../../src/host/port.ts';
import { mib } from '../../../src/memory/bytes.ts';
import { eventually, isUp, observedUntil, valueOf } from '../../contract/bench.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import { clearGuest } from './clear-guest.ts';
import { type RpcRelay, startRpcRelay } from './rpc-relay.ts';

/** Of every module in these tests. */
export const size = mib(128);

export type CrashBench = {
  readonly lab: Lab;
  readonly guest: LabGuest;
  /** Between every agent of the bench and libvirtd. */
  readonly relay: RpcRelay;
  /** Starts an agent that can be killed, as a process of its own. */
  readonly startProgram: () => Promise<Host>;
  /** Kills that one. */
  readonly killProgram: () => Promise<void>;
  /** Starts an agent in this process: libvirtd is what dies. */
  readonly startInProcess: () => Promise<Host>;
  readonly observe: (host: Host) => Promise<DomainObservation>;
  /** The one module that these tests change. */
  readonly moduleOf: (host: Host) => Promise<ObservedModule | undefined>;
  /** Waits until the guest has said what it has. */
  readonly reports: (host: Host) => Promise<DomainObservation>;
  /** Waits until the agent has found libvirtd again. */
  readonly backAgain: (host: Host) => Promise<true>;
  /** Waits until the guest has taken up so many modules, and no more. */
  readonly guestHas: (modules: number) => Promise<true>;
  /**
   * Stops libvirtd in its tracks when a call of the procedure is about to reach it, sees that `change` isn't answered,
   * and lets libvirtd go on. Gives the change's answer.
   */
  readonly whileFrozen: <T>(procedure: number, change: () => Promise<T>) => Promise<T>;
  /** For after each test: ends the agents, brings libvirtd back and clears the guest. */
  readonly clear: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** Starts a lab with one guest, which accepts and can be pinned. */
export async function startCrashBench(): Promise<CrashBench> {
  const lab = await startLab({
    guests: [{ kind: 'accepting', kernelArgs: ['page_alloc.shuffle=1'] }],
  });
  const { hypervisor } = lab;
  const guest = lab.guest('accepting');
  const { uuid } = guest;
  const baseKib = await guest.memTotalKiB();
  const pki = await createAgentPki(hypervisor.directory);
  const relay = await startRpcRelay(join(hypervisor.directory, 'relay.sock'), hypervisor.socketPath);
  let agent: AgentFixture | null = null;
  let program: AgentProcess | null = null;

  const observe = async (host: Host) => valueOf(await host.observe(uuid));
  const killProgram = async (): Promise<void> => {
    const killed = program;
    program = null;
    await killed?.end('SIGKILL');
  };
  return {
    lab,
    guest,
    relay,
    async startProgram() {
      program = await startAgentProcess([`--libvirt-uri=${relay.uri}`], pki);
      return program.client;
    },
    killProgram,
    async startInProcess() {
      agent = await startAgentFixture(relay.uri, pki);
      return agent.client;
    },
    observe,
    async moduleOf(host) {
      const modules = (await observe(host)).layout?.modules ?? [];
      expect(modules.length).toBeLessThanOrEqual(1);
      return modules[0];
    },
    reports: (host) => observedUntil({ host, uuid }, 'the guest reports', isUp),
    backAgain: (host) => eventually('the agent is back', async () => ((await host.observe(uuid)).ok ? true : null)),
    guestHas: (modules) =>
      waitFor(async () => (await guest.memTotalKiB()) === baseKib + (modules * size) / 1024, {
        ...{ what: `the guest to have ${modules} modules`, timeoutMs: 30_000 },
      }),
    async whileFrozen(procedure, change) {
      const reached = relay.intercept(procedure, () => {
        hypervisor.freezeDaemon();
        return 'forward';
      });
      const answered = change();
      await reached;
      try {
        expect(await Promise.race([answered, delay(500, 'no answer yet')])).toBe('no answer yet');
      } finally {
        hypervisor.thawDaemon();
      }
      return answered;
    },
    async clear() {
      await killProgram();
      await agent?.stop();
      agent = null;
      await hypervisor.startDaemon();
      await clearGuest(hypervisor, guest);
    },
    async stop() {
      relay.close();
      await lab.stop();
    },
  };
}
