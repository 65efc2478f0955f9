/**
 * The whole product on a lab: CRDs, RBAC and admission rules of deploy/ applied, an agent beside the hypervisor and a
 * controller with the rights of its own service account, both the built programs as a user runs them.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { pathOf } from './api-client.ts';
import type { CommandResult } from './run.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import type { Lab } from './lab.ts';
import { freePorts } from './ports.ts';
import { installDimmer } from './shared-planes.ts';
import { waitFor } from './wait.ts';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const program = join(root, 'dist/cmd/main.js');

/** The URI in the controller's certificate, by which the agent knows it. */
export const controllerUri = 'spiffe://dimmer.test/controller';
export const hostName = 'hv-1';
export const namespace = 'tenants';

/** A program of ours that can be ended and started again. */
export type StackProcess = {
  readonly logFile: string;
  readonly pid: () => number;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Ends it (SIGTERM when left out) and waits until it is gone. */
  readonly stop: (signal?: 'SIGTERM' | 'SIGKILL') => Promise<void>;
  /** Starts it, if it doesn't run, and waits until it says that it is ready; by another program, if one is given. */
  readonly start: (other?: string) => Promise<void>;
};

export type Stack = {
  readonly lab: Lab;
  readonly agent: StackProcess;
  readonly controller: StackProcess;
  readonly agentUrl: string;
  readonly metricsUrl: string;
  /** What the controller shows to the agent; for tests that speak to the agent themselves. */
  readonly controllerTls: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
  /** `kubectl apply -f -`; the result is not judged. */
  readonly apply: (manifest: object) => Promise<CommandResult>;
  /** A VirtualMachineMemory in the tenants' namespace for a VM. */
  readonly manifest: (name: string, uuid: string, spec: Readonly<Record<string, unknown>>) => object;
  readonly read: (name: string) => Promise<VirtualMachineMemory>;
  /** Waits until the Ready condition has this reason for the newest generation; gives the object. */
  readonly reaches: (name: string, reason: string, timeoutMs?: number) => Promise<VirtualMachineMemory>;
  readonly stop: () => Promise<void>;
};

/** The reason of an object's Ready condition, with the message, for people. */
const describeReady = (object: VirtualMachineMemory): string => {
  const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
  const { modules, lastHandledReconcileAt: heeded, lastResize } = object.status ?? {};
  const more = JSON.stringify({ modules, heeded, lastResize });
  return `${object.metadata.name} says ${ready?.reason ?? 'nothing'}: ${ready?.message ?? ''}\n${more}`;
};

/** Starts a program of ours, which can be ended and started again; its log is `NAME.log` in `directory`. */
export async function startProcess(
  name: string,
  args: readonly string[],
  directory: string,
  isReady: () => Promise<boolean>,
  first = program,
  env: Readonly<Record<string, string>> = {},
): Promise<StackProcess> {
  const logFile = join(directory, `${name}.log`);
  let daemon: Daemon | null = null;
  let main = first;
  const running = (): Daemon => {
    if (daemon?.ended() !== null) throw new Error(`${name} is not running`);
    return daemon;
  };
  const start = async (other = main): Promise<void> => {
    if (daemon?.ended() === null) return;
    main = other;
    const started = await startDaemon({ name, command: process.execPath, args: [main, ...args], logFile, env });
    daemon = started;
    await waitFor(
      async () => {
        if (started.ended() !== null) throw new Error(`${name} ended: ${started.ended() ?? ''}`);
        return isReady();
      },
      { what: `${name} to be ready`, timeoutMs: 20_000, details: started.logTail },
    );
  };
  const stop: StackProcess['stop'] = async (signal = 'SIGTERM') => {
    if (daemon?.ended() !== null) return;
    if (signal === 'SIGTERM') return daemon.stop(15_000);
    daemon.kill(signal);
    await daemon.whenEnded;
  };
  await start();
  return { logFile, pid: () => running().pid, kill: (signal) => running().kill(signal), stop, start };
}

const answersOk = async (url: string): Promise<boolean> => {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.ok;
};

/** Whether somebody takes connections on a port of 127.0.0.1. */
async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}

export type StackOptions = {
  /** Which VMs the agent has; those of the lab's hypervisor when left out. */
  readonly agentDriver?: readonly string[];
  /** Further options of the agent. */
  readonly agentOptions?: readonly string[];
  /** More of the controller's options. */
  readonly controllerFlags?: readonly string[];
  /** What both run; the program built here when left out. */
  readonly program?: string;
};

/** Installs and starts everything on a lab that has a control plane. */
export async function startStack(lab: Lab, options: StackOptions = {}): Promise<Stack> {
  if (!existsSync(program)) throw new Error(`${program} is missing; run 'npm run build' first`);
  const { controlPlane } = lab;
  const driver = options.agentDriver ?? [`--libvirt-uri=qemu:///system?socket=${lab.hypervisor.socketPath}`];
  const { pki, directory } = controlPlane;
  if (!controlPlane.isShared) await installDimmer(controlPlane);

  const [agentPort, healthPort] = await freePorts(2);
  if (agentPort === undefined || healthPort === undefined) throw new Error('no free ports');
  const agentCert = await pki.issue({ name: 'agent', dns: ['localhost'], ip: ['127.0.0.1'] });
  const controllerCert = await pki.issue({ name: 'controller', uri: [controllerUri] });
  const agentUrl = `https://127.0.0.1:${agentPort}`;
  const agent = await startProcess(
    'agent',
    [
      'agent',
      ...driver,
      `--listen=127.0.0.1:${agentPort}`,
      `--tls-cert-file=${agentCert.certFile}`,
      `--tls-private-key-file=${agentCert.keyFile}`,
      `--client-ca-file=${pki.caFile}`,
      `--allow-client=${controllerUri}`,
      '--allow-domains=*',
      ...(options.agentOptions ?? []),
    ],
    directory,
    () => isListening(agentPort),
    options.program,
  );

  const kubeconfig = await controlPlane.createKubeconfigForServiceAccount('dimmer-system', 'dimmer-controller');
  const metricsUrl = `http://127.0.0.1:${healthPort}/metrics`;
  const controller = await startProcess(
    'controller',
    [
      'controller',
      `--kubeconfig=${kubeconfig}`,
      `--agent-client-cert-file=${controllerCert.certFile}`,
      `--agent-client-key-file=${controllerCert.keyFile}`,
      `--agent-ca-file=${pki.caFile}`,
      `--metrics-bind-address=127.0.0.1:${healthPort}`,
      `--health-probe-bind-address=127.0.0.1:${healthPort}`,
      ...(options.controllerFlags ?? []),
    ],
    directory,
    () => answersOk(`http://127.0.0.1:${healthPort}/readyz`),
    options.program,
  );

  const apply = (manifest: object): Promise<CommandResult> =>
    controlPlane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) });
  for (const manifest of [namespaceManifest, hostManifest(agentUrl)]) {
    const applied = await apply(manifest);
    if (applied.code !== 0) throw new Error(`kubectl apply failed: ${applied.stderr}`);
  }
  const read = async (name: string): Promise<VirtualMachineMemory> =>
    (await controlPlane.api.read(pathOf('vmmem', name, namespace))) as VirtualMachineMemory;

  return {
    lab,
    agent,
    controller,
    agentUrl,
    metricsUrl,
    controllerTls: { ...controllerCert, caFile: pki.caFile },
    apply,
    manifest: (name, uuid, spec) => ({
      apiVersion: 'dimmer.dev/v1alpha1',
      kind: 'VirtualMachineMemory',
      metadata: { name, namespace },
      spec: { virtualMachine: { uuid }, hostRef: { name: hostName }, ...spec },
    }),
    read,
    reaches: async (name, reason, timeoutMs = 60_000) => {
      let last = 'not read yet';
      return waitFor(
        async () => {
          const object = await read(name);
          last = describeReady(object);
          const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
          const isCurrent = object.status?.observedGeneration === object.metadata.generation;
          return ready?.reason === reason && isCurrent ? object : undefined;
        },
        { what: `${name} to say ${reason}`, timeoutMs, intervalMs: 100, details: () => last },
      );
    },
    stop: async () => {
      await controller.stop();
      await agent.stop();
      await lab.stop();
    },
  };
}

const namespaceManifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };

const hostManifest = (address: string): object => ({
  apiVersion: 'dimmer.dev/v1alpha1',
  kind: 'HypervisorHost',
  metadata: { name: hostName },
  // The machine under the lab is small and shared: the guests' memory is never really used up.
  spec: { address, allowedNamespaces: { from: 'All' }, memoryReserve: '256Mi', memoryOvercommit: '8.0' },
});
