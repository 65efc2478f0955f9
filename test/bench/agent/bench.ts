/** The host agent beside virsh and the bare RPC call, with many VMs, and doing nothing. */
import { connectHypervisor } from '../../../src/drivers/libvirt/connect.ts';
import type { Hypervisor } from '../../../src/libvirt/domain/hypervisor.ts';
import { parseLibvirtUri } from '../../../src/libvirt/rpc/uri.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { ensureLab } from '../../lab/ensure.ts';
import type { LabHypervisor } from '../../lab/hypervisor.ts';
import { startLab } from '../../lab/lab.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { benchChanges } from './changes.ts';
import { benchIdle, benchView, startPausedDomains } from './many-domains.ts';
import { prepareAgent, startAgent } from './program.ts';

async function connect(uri: string): Promise<Hypervisor> {
  const endpoint = parseLibvirtUri(uri);
  if (!endpoint.ok) throw new Error(endpoint.error);
  const hypervisor = connectHypervisor(endpoint.value, silentLogger);
  await new Promise<void>((resolve) => {
    hypervisor.onConnection((change) => {
      if (change.kind === 'connected') resolve();
    });
    hypervisor.start();
  });
  return hypervisor;
}

const uriOf = (lab: LabHypervisor): string => `qemu:///system?socket=${lab.socketPath}`;

/** Runs the benchmark and prints its figures. */
export async function runAgentBench(): Promise<void> {
  await ensureLab(report, ['hypervisor']);
  await benchOneGuest();
  await benchManyDomains();
}

async function benchOneGuest(): Promise<void> {
  report('starting a hypervisor and a guest with 256 slots');
  const lab = await startLab({ guests: [{ kind: 'accepting', name: 'bench', slots: 256 }] });
  try {
    const files = await prepareAgent(lab.hypervisor.directory);
    const agent = await startAgent(uriOf(lab.hypervisor), files);
    const hypervisor = await connect(uriOf(lab.hypervisor));
    await benchChanges(lab.hypervisor, lab.guest('accepting'), agent.client, hypervisor);
    await hypervisor.close();
    await agent.stop();
    files.clientTls.close();
  } finally {
    await lab.stop();
  }
}

async function benchManyDomains(): Promise<void> {
  report('starting a hypervisor and 40 paused QEMUs');
  const lab = await startLab();
  try {
    const files = await prepareAgent(lab.hypervisor.directory);
    await benchView(lab.hypervisor, files);
    await startPausedDomains(lab.hypervisor);
    await benchIdle(uriOf(lab.hypervisor), files);
    files.clientTls.close();
  } finally {
    await lab.stop();
  }
}
