import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { run } from './run.ts';

/** Flags of unshare(1) and nsenter(1) for the namespaces that a hypervisor has to itself. */
export const NAMESPACES = ['--mount', '--net', '--pid'] as const;

/** Null when this process may make namespaces, else why not. */
export async function namespaceProblem(): Promise<string | null> {
  const { code, stderr } = await run('unshare', [...NAMESPACES, '--fork', '--mount-proc', 'true']);
  return code === 0 ? null : `this process may not make namespaces: ${stderr.trim()}`;
}

/** Process ids of the direct children, empty when the process is gone. */
export function childrenOf(pid: number): number[] {
  try {
    return numbers(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' '));
  } catch {
    return [];
  }
}

/** All living processes in the process-id namespace of which `initPid` is the first process, by their ids out here. */
export function processesInNamespaceOf(initPid: number): number[] {
  const namespace = namespaceOf(initPid);
  if (namespace === undefined) return [];
  return numbers(readdirSync('/proc')).filter((pid) => namespaceOf(pid) === namespace);
}

/** The command line of a process, empty when it is gone. */
export function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

function numbers(texts: readonly string[]): number[] {
  return texts.filter((text) => /^\d+$/.test(text)).map(Number);
}
