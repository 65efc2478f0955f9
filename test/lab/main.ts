import { dirname } from 'node:path';
import { ensureLab } from './ensure.ts';
import type { GuestKind } from './guest-types.ts';
import { startLab } from './lab.ts';
import { reportToTerminal as report } from './progress.ts';
import { namespace, type Stack, startStack } from './stack.ts';

// `npm run lab -- [KIND ...]`: brings a lab up for a person to play with, and takes it down on Ctrl-C.

const KINDS: readonly GuestKind[] = ['accepting', 'refusing', 'mixed', 'silent', 'no-os'];

function parseKinds(args: readonly string[]): readonly GuestKind[] {
  if (args.length === 0) return ['accepting', 'refusing'];
  return args.map((argument) => {
    const kind = KINDS.find((candidate) => candidate === argument);
    if (kind === undefined) throw new Error(`'${argument}' is not a kind of guest; there are: ${KINDS.join(', ')}`);
    return kind;
  });
}

/** Resolves with the first signal that asks us to end. */
function endSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(signal));
  });
}

function help({ lab, agentUrl, metricsUrl, agent, controller }: Stack): string {
  const { controlPlane, hypervisor, guests } = lab;
  const names = guests.map((guest) => guest.name);
  const [first = 'GUEST'] = names;
  return `
The lab is up. In another terminal:

  export KUBECONFIG=${controlPlane.adminKubeconfig}
  export PATH=${dirname(controlPlane.kubectlPath)}:$PATH      # the kubectl that fits the server
  export LIBVIRT_DEFAULT_URI='${hypervisor.uri}'

  kubectl get dimmer -A                        # a VirtualMachineMemory for each guest: ${names.join(', ')}
  kubectl patch vmmem ${first} -n ${namespace} --type=merge -p '{"spec":{"memory":"1Gi"}}'
  kubectl get vmmem -n ${namespace} -o wide --watch
  virsh list                                   # ${names.join(', ')}
  virsh console ${first} serial2          # a shell in the guest (cat /proc/meminfo); Ctrl-] leaves
  virsh event --all --loop                     # what libvirt says
  ls ${hypervisor.directory}/guests            # what the guests' kernels say
  tail -f ${controller.logFile} ${agent.logFile}
  curl ${metricsUrl}        # the controller; the agent is at ${agentUrl}
`;
}

async function main(): Promise<void> {
  const kinds = parseKinds(process.argv.slice(2));
  const ending = endSignal();
  await ensureLab(report);
  report(`starting a control plane, a hypervisor and ${kinds.length} guests (10 to 30 s)`);
  const start = Date.now();
  const guests = kinds.map((kind, index) => ({ kind, name: `${kind}-${index + 1}`, terminal: true }));
  const started = startLab({ controlPlane: {}, guests });
  const lab = await Promise.race([started, ending.then(() => null)]);
  if (lab === null) {
    report(`${await ending} while starting: what was started ends with this process`);
    return;
  }
  let stack: Stack | null = null;
  try {
    report('installing crds/ and deploy/, starting the agent and the controller');
    stack = await startStack(lab);
    // Without a size: observed only, until the person says otherwise.
    for (const { name, uuid } of lab.guests) await stack.apply(stack.manifest(name, uuid, {}));
    console.log(help(stack));
    report(`up after ${((Date.now() - start) / 1000).toFixed(1)} s; Ctrl-C takes it down`);
    const signal = await ending;
    report(`${signal}: taking the lab down`);
  } finally {
    await (stack ?? lab).stop();
  }
  report('nothing of the lab is left');
}

try {
  await main();
} catch (error) {
  report(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
// A start that a signal interrupted goes on otherwise; all that it started is ended by the kernel with this process.
process.exit();
