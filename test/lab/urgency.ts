/** Who is first at the processors, where labs run side by side. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** About 28 times the share of any other process (sched(7)). */
const URGENT = -15;

/**
 * Gives a lab's processes precedence over all others on the machine, and this one over its likes: for tests in which a
 * guest must answer in time. Every thread by itself, as setpriority(2) takes them; and the lab's sessions, since under
 * CONFIG_SCHED_AUTOGROUP (sched(7)) sessions share the processors, and threads only what their session has. (This
 * process's own session is that of whoever has called for tests, and is left alone.) What the lab starts later has it not.
 */
export function makeUrgent(pids: readonly number[]): void {
  for (const pid of pids) {
    const autogroup = `/proc/${pid}/autogroup`;
    if (existsSync(autogroup)) writeFileSync(autogroup, String(URGENT));
  }
  for (const pid of [process.pid, ...pids]) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) hurry(Number(thread));
  }
}

function hurry(thread: number): void {
  try {
    setPriority(thread, URGENT);
  } catch (error) {
    // QEMU ends threads that have nothing to do.
    if (existsSync(`/proc/${thread}`)) throw error;
  }
}
