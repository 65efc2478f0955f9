import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeControlGroups } from './control-groups.ts';
import { releaseHugePages } from './huge-pages.ts';

const PREFIX = 'dimmer-lab-';
const OWNER = 'owner';

/** Where built things are kept between runs; it need not exist. */
export function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'dimmer-lab');
}

/**
 * A new empty directory for one lab or one piece of it. Its path is short, because a socket's path has
 * room for 107 bytes (unix(7)), and others may pass through it, so that an unprivileged agent reaches
 * the sockets in it.
 */
export function createLabDirectory(): string {
  sweepAbandonedDirectories();
  const base = tmpdir().length <= 40 ? tmpdir() : '/tmp';
  const directory = mkdtempSync(join(base, PREFIX));
  chmodSync(directory, 0o711);
  // Whole at once: a lab that sweeps at this moment would take an owner without a name for a dead one.
  writeFileSync(join(directory, `${OWNER}.new`), ownIdentity());
  renameSync(join(directory, `${OWNER}.new`), join(directory, OWNER));
  return directory;
}

/** Removes a directory of {@link createLabDirectory} with everything in it. */
export function removeLabDirectory(directory: string): void {
  releaseHugePages(directory);
  removeControlGroups(directory);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Labs whose owner was killed could not remove their directories; their processes are already gone. */
function sweepAbandonedDirectories(): void {
  const base = tmpdir().length <= 40 ? tmpdir() : '/tmp';
  for (const name of readdirSync(base)) {
    if (!name.startsWith(PREFIX)) continue;
    const directory = join(base, name);
    const owner = join(directory, OWNER);
    try {
      if (existsSync(owner) && !isAlive(readFileSync(owner, 'utf8'))) removeLabDirectory(directory);
    } catch {
      // Somebody else's, or being removed right now by another lab.
    }
  }
}

/** Process id and start time: an id alone may have been given to somebody else since. */
function ownIdentity(): string {
  return `${process.pid} ${startTime(process.pid) ?? ''}`;
}

function isAlive(identity: string): boolean {
  const [pid = '', start = ''] = identity.split(' ');
  return startTime(Number(pid)) === start;
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), counted after the name in parentheses. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie holds nothing any more, and some containers never reap theirs.
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
