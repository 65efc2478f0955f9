/**
 * What tells one run of a domain from the next. libvirt's domain id alone doesn't: it counts from 1 again when the
 * daemon restarts while no domain runs. The start time of the QEMU process does, where /proc shows it (a daemon on
 * this host whose processes the agent may see); else the id has to do.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface RunIdentities {
  /** An opaque text: the same for the same run, whoever asks and whenever. */
  identify(uuid: string, domainId: number): string;
  /** Forgets what was looked up: after a time without a connection another process may have the same domain id. */
  forget(): void;
}

const readText = (path: string): string | null => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Processes end while one looks at them.
    return null;
  }
};

/** Field 22 of /proc/PID/stat: start time in clock ticks since boot (proc(5)); the name before it may hold anything. */
export function startTimeOf(stat: string): string | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[19] ?? null;
}

const listPids = (proc: string): readonly string[] => {
  try {
    return readdirSync(proc).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
};

/** Start times of all processes started with `-uuid`, as libvirt starts QEMU, by uuid. */
function scanProcesses(proc: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const pid of listPids(proc)) {
    const match = /\0-uuid\0([0-9a-f-]{36})\0/.exec(readText(`${proc}/${pid}/cmdline`) ?? '');
    const stat = match === null ? null : readText(`${proc}/${pid}/stat`);
    const start = stat === null ? null : startTimeOf(stat);
    if (match?.[1] !== undefined && start !== null) found.set(match[1], start);
  }
  return found;
}

/** Looks at `proc` when a run is met for the first time. */
export function createRunIdentities(proc = '/proc'): RunIdentities {
  const boot = readText(`${proc}/sys/kernel/random/boot_id`)?.trim().slice(0, 8) ?? 'host';
  const known = new Map<string, { readonly domainId: number; readonly identity: string }>();
  return {
    identify(uuid, domainId) {
      const entry = known.get(uuid);
      if (entry?.domainId === domainId) return entry.identity;
      // One scan serves all domains that are met now: a restarted agent meets all of them at once.
      const starts = scanProcesses(proc);
      const identity = `${boot}/${domainId}/${starts.get(uuid) ?? '-'}`;
      known.set(uuid, { domainId, identity });
      return identity;
    },
    forget: () => known.clear(),
  };
}
