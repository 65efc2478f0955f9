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

type Process = { readonly pid: string; readonly start: string };

/** Looks at `proc` when a run is met for the first time. `read` gives null for what isn't there. */
export function createRunIdentities(proc = '/proc', read: (path: string) => string | null = readText): RunIdentities {
  const boot = read(`${proc}/sys/kernel/random/boot_id`)?.trim().slice(0, 8) ?? 'host';
  const known = new Map<string, { readonly domainId: number; readonly identity: string }>();
  /** All processes started with `-uuid`, as libvirt starts QEMU, by uuid. */
  let processes: ReadonlyMap<string, Process> = new Map();

  const startOf = (pid: string): string | null => startTimeOf(read(`${proc}/${pid}/stat`) ?? '');
  const lives = ({ pid, start }: Process): boolean => startOf(pid) === start;

  function scan(): ReadonlyMap<string, Process> {
    const found = new Map<string, Process>();
    for (const pid of listPids(proc)) {
      const uuid = /\0-uuid\0([0-9a-f-]{36})\0/.exec(read(`${proc}/${pid}/cmdline`) ?? '')?.[1];
      const start = uuid === undefined ? null : startOf(pid);
      if (uuid !== undefined && start !== null) found.set(uuid, { pid, start });
    }
    return found;
  }

  /** One scan serves all domains that are met at the start: a process that still lives is the one that was found. */
  function findStart(uuid: string): string | undefined {
    const found = processes.get(uuid);
    if (found !== undefined && lives(found)) return found.start;
    processes = scan();
    return processes.get(uuid)?.start;
  }

  return {
    identify(uuid, domainId) {
      const entry = known.get(uuid);
      if (entry?.domainId === domainId) return entry.identity;
      const identity = `${boot}/${domainId}/${findStart(uuid) ?? '-'}`;
      known.set(uuid, { domainId, identity });
      return identity;
    },
    forget: () => known.clear(),
  };
}
