import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** A control group of a lab machine, and how the machine mounts the hierarchy that it lies in. */
export type ControlGroup = {
  readonly directory: string;
  readonly mountPoint: string;
  readonly type: 'cgroup' | 'cgroup2';
  readonly mountOptions: string;
};

type Hierarchy = Omit<ControlGroup, 'directory'>;

const ROOT = '/sys/fs/cgroup';
/** Without these the limits of a unit are words. */
const CONTROLLERS = ['memory', 'pids'];
/** Where version 1 has them, new groups can't be joined before they are given processors and memory nodes. */
const NOT_FOR_SYSTEMD = 'cpuset';

/**
 * Makes a group for the lab machine in `labDirectory` in every hierarchy that systemd uses: one with version 2, one for
 * each controller with version 1, both with a hybrid. They outlive their processes, so they bear the name of the
 * directory and go when that is removed, if need be by a later lab.
 */
export function createControlGroups(labDirectory: string): ControlGroup[] {
  const hierarchies = findHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (hierarchies.length === 0) throw new Error(`no control groups are mounted at ${ROOT}, and systemd needs them`);
  return hierarchies.map((hierarchy) => {
    if (hierarchy.mountPoint === ROOT) passOnControllers();
    const directory = join(hierarchy.mountPoint, basename(labDirectory));
    mkdirSync(directory);
    return { ...hierarchy, directory };
  });
}

/** Takes back what {@link createControlGroups} did for this lab; nothing if it wasn't called. Its processes are dead. */
export function removeControlGroups(labDirectory: string): void {
  for (const { mountPoint } of findHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'))) {
    const directory = join(mountPoint, basename(labDirectory));
    if (existsSync(directory)) removeGroup(directory);
  }
}

/** The hierarchies in a text like /proc/self/mountinfo (proc_pid_mountinfo(5)). */
function findHierarchies(mountInfo: string): Hierarchy[] {
  const found = new Map<string, Hierarchy>();
  for (const line of mountInfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const mountPoint = before.split(' ')[4] ?? '';
    const [type, , superOptions = ''] = after.split(' ');
    if (mountPoint !== ROOT && !mountPoint.startsWith(`${ROOT}/`)) continue;
    if (type === 'cgroup2') found.set(mountPoint, { mountPoint, type, mountOptions: 'rw' });
    if (type !== 'cgroup') continue;
    const wanted = superOptions
      .split(',')
      .filter((option) => !/^(ro|rw|xattr|clone_children|release_agent=.*)$/.test(option));
    if (wanted.includes(NOT_FOR_SYSTEMD)) continue;
    const isNamed = wanted.every((option) => option.startsWith('name='));
    found.set(mountPoint, { mountPoint, type, mountOptions: [...(isNamed ? ['none'] : []), ...wanted].join(',') });
  }
  return [...found.values()];
}

/** Where a systemd runs the machine it has done this already. */
function passOnControllers(): void {
  const file = join(ROOT, 'cgroup.subtree_control');
  const words = (name: string): string[] => readFileSync(name, 'utf8').trim().split(' ');
  const [offered, passedOn] = [words(join(ROOT, 'cgroup.controllers')), words(file)];
  const missing = CONTROLLERS.filter((controller) => offered.includes(controller) && !passedOn.includes(controller));
  if (missing.length > 0) writeFileSync(file, missing.map((controller) => `+${controller}`).join(' '));
}

/** A group is a directory that only rmdir(2) removes, from the leaves up. */
function removeGroup(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroup(join(directory, entry.name));
  }
  rmdirSync(directory);
}
