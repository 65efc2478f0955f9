/** What processes have used, as the kernel counts it. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of `man 5 proc`: USER_HZ is 100 on every Linux that Node runs on. */
const msPerTick = 10;

/** CPU time of a process, user and system, ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name, which may hold spaces; user and system time are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

/** Resident memory of a process, MiB. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

/** Time on a processor of all threads that a process has, ms: finer than {@link cpuMs}, without those that have ended. */
export function threadsMs(pid: number): number {
  // The first number is ns (Documentation/scheduler/sched-stats.rst).
  const threads = readdirSync(`/proc/${pid}/task`).map((id) =>
    readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8'),
  );
  return threads.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e6;
}
