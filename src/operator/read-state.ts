/** What the state directory of `dimmer standalone` holds, for whoever looks at it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HypervisorHost } from '../api/v1alpha1/hypervisor-host.ts';
import type { VirtualMachineMemory } from '../api/v1alpha1/virtual-machine-memory.ts';
import { type KeptEvent, readEvents } from '../standalone/event-files.ts';
import { readKept } from '../standalone/kept-resources.ts';
import type { ManifestProblem } from '../standalone/manifest.ts';
import { StateDirectory } from '../standalone/state-directory.ts';

export type StandaloneState = {
  readonly resources: readonly VirtualMachineMemory[];
  readonly problems: readonly ManifestProblem[];
  /** The process that keeps it up to date; null: none does now. Asked anew at each call. */
  readonly process: () => number | null;
};

/** Reads all of it. @throws Error where there is none */
export async function readState(folder: string): Promise<StandaloneState> {
  const state = new StateDirectory(folder);
  const kept = await state.list('VirtualMachineMemory');
  const problems = await state.problems();
  if (kept.length === 0 && problems === null) {
    throw new Error(`${folder} is no state directory of 'dimmer standalone' (--state-dir says where it is)`);
  }
  const resources = kept.flatMap((each) => {
    const read = readKept('VirtualMachineMemory', each);
    return read.ok && read.value.kind === 'VirtualMachineMemory' ? [read.value] : [];
  });
  const nameOf = ({ metadata }: VirtualMachineMemory): string => `${metadata.namespace}/${metadata.name}`;
  return {
    resources: resources.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)),
    problems: readProblems(problems),
    process: () => findProcess(join(folder, 'holder')),
  };
}

/** The hosts that are known, by name. */
export async function readHosts(folder: string): Promise<readonly HypervisorHost[]> {
  const kept = await new StateDirectory(folder).list('HypervisorHost');
  const hosts = kept.flatMap((each) => {
    const read = readKept('HypervisorHost', each);
    return read.ok && read.value.kind === 'HypervisorHost' ? [read.value] : [];
  });
  return hosts.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** The last events of a resource, the newest at the end. */
export const eventsOf = async (folder: string, { metadata }: VirtualMachineMemory): Promise<readonly KeptEvent[]> =>
  readEvents(
    await new StateDirectory(folder).events({
      kind: 'VirtualMachineMemory',
      namespace: metadata.namespace,
      name: metadata.name,
    }),
  );

/** What is wrong; a text that is just being written says it the next time. */
function readProblems(text: string | null): readonly ManifestProblem[] {
  try {
    const read: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(read) ? (read as ManifestProblem[]) : [];
  } catch {
    return [];
  }
}

function findProcess(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (!Number.isSafeInteger(pid) || pid <= 0) return null;
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // Somebody else's: it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? Number(readFileSync(file, 'utf8')) : null;
  }
}
