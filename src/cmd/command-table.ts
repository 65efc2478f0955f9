/**
 * All commands, in the order in which they are told: for the help of the program, and for shell completion. What a command
 * line may hold is in `line`; of those without one the command's own usage text says it.
 */
import type { CommandLine, Place } from './command-line.ts';
import { lines } from './operator/lines.ts';

export type CommandName = 'controller' | 'agent' | 'standalone' | 'adopt' | 'pki' | 'completion' | keyof typeof lines;

export type CommandEntry = {
  readonly name: CommandName;
  readonly summary: string;
  /** Which programs have it: `dimmer` has all, `kubectl dimmer` those for a cluster. */
  readonly places: readonly Place[];
  readonly line?: CommandLine;
};

const operated = Object.entries(lines).map(([name, line]): CommandEntry => ({
  name: name as keyof typeof lines,
  summary: line.summary,
  places: ['standalone', 'cluster'],
  line,
}));

export const commandTable: readonly CommandEntry[] = [
  {
    name: 'controller',
    summary: 'the cluster controller: reconciles VirtualMachineMemory resources',
    places: ['standalone'],
  },
  {
    name: 'agent',
    summary: 'the host agent: plugs and unplugs memory modules through libvirt',
    places: ['standalone'],
  },
  {
    name: 'standalone',
    summary: 'both in one process, for a directory of manifests: no cluster',
    places: ['standalone'],
  },
  ...operated,
  { name: 'adopt', summary: 'writes manifests for the VMs of a host as they are now', places: ['standalone'] },
  { name: 'pki', summary: 'certificates for agents and controller, where there is no CA', places: ['standalone'] },
  { name: 'completion', summary: 'a script that lets a shell complete all this', places: ['standalone'] },
];
