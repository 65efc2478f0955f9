/** A job that holds a domain, as any slow change of it does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { LabGuest } from '../../lab/guest-types.ts';
import type { LabHypervisor } from '../../lab/hypervisor.ts';
import { waitFor } from '../../lab/wait.ts';

/** Of a domain whose QEMU is stopped (SIGSTOP): the job ends when that goes on. Resolves when it holds the domain. */
export async function holdDomainJob(
  { uri, virshOk }: LabHypervisor,
  { uuid }: LabGuest,
): Promise<{ readonly ended: Promise<unknown> }> {
  const args = ['--connect', uri, 'qemu-monitor-command', uuid, '--hmp', 'info version'];
  const ended = once(spawn('virsh', args, { stdio: 'ignore' }), 'exit');
  await waitFor(async () => (await virshOk(['domcontrol', uuid])).startsWith('occupied'), {
    ...{ what: 'the job to hold the domain', timeoutMs: 10_000 },
  });
  return { ended };
}
