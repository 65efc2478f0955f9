/** Where standalone keeps its state unless it is told: also what `dimmer status` looks at. */
import { homedir } from 'node:os';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** As systemd says it (StateDirectory=), else where the system keeps state for root and for everybody else. */
export function defaultStateDir(environment: Environment, isRoot: boolean): string {
  const bySystemd = environment['STATE_DIRECTORY'] ?? '';
  if (bySystemd !== '') return bySystemd.split(':', 1)[0] ?? bySystemd;
  if (isRoot) return '/var/lib/dimmer';
  const home = environment['XDG_STATE_HOME'] ?? '';
  return join(home === '' ? join(homedir(), '.local/state') : home, 'dimmer');
}

/** The same for this process. */
export const ownStateDir = (): string => defaultStateDir(process.env, process.getuid?.() === 0);
