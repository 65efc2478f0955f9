import { join } from 'node:path';
import { type CommandResult, run, type RunOptions, runOk } from './run.ts';

/**
 * podman, with images of its own that go with a directory. Its runtime is runc: crun takes no control groups of both kinds
 * at once. It pulls nothing.
 */
export type Containers = {
  /** What a command line of it begins with, the program first. */
  readonly command: readonly [string, ...string[]];
  readonly podman: (args: readonly string[], options?: RunOptions) => Promise<CommandResult>;
  /** As `podman`, but a non-zero exit is an error; gives stdout. */
  readonly podmanOk: (args: readonly string[], options?: RunOptions) => Promise<string>;
};

/** Options of `podman run`: what a kernel lets a process have that was given less than an engine's defaults. */
const LIMITS = ['--ulimit=nofile=4096:4096', '--ulimit=nproc=4096:4096'];

/**
 * Options of `podman run` for a container that stays in these namespaces of a process, and leaves nothing once that has ended: its
 * processes end with it, and what is mounted for it is mounted nowhere else.
 */
export const within = (pid: number): readonly string[] => [
  ...['--rm', '--pull=never', '--ipc=none', '--log-driver=none', '--no-hosts', ...LIMITS],
  ...['net', 'pid'].map((kind) => `--${kind === 'net' ? 'network' : kind}=ns:/proc/${pid}/ns/${kind}`),
];

export function containersIn(directory: string): Containers {
  const options = [
    ...['--runtime=runc', '--cgroup-manager=cgroupfs', '--events-backend=none'],
    ...['--storage-driver=vfs', `--root=${join(directory, 'images')}`, `--runroot=${join(directory, 'containers')}`],
  ];
  return {
    command: ['podman', ...options],
    podman: (args, more = {}) => run('podman', [...options, ...args], more),
    podmanOk: (args, more = {}) => runOk('podman', [...options, ...args], more),
  };
}
