import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { withFileLock } from './lock.ts';
import type { Report } from './progress.ts';

/** What is made once on a machine, and then stays in the cache. */
export type MadeOnce = {
  readonly target: string;
  /** For people who wait: what a process is at that makes it. */
  readonly what: string;
  /** Whether it is there, and as it has to be; that `target` is there, when left out. */
  readonly isWhole?: () => boolean;
  /** Makes it at a path beside `target` that is free. */
  readonly make: (unfinished: string) => Promise<void>;
};

/**
 * Has something made by one process, however many ask for it at once; the others wait for that one. What `make` leaves becomes
 * `target` in one go: what is there is whole, also if a process is killed.
 */
export async function makeOnce(
  { target, what, make, isWhole = () => existsSync(target) }: MadeOnce,
  report: Report,
): Promise<void> {
  if (isWhole()) return;
  mkdirSync(dirname(target), { recursive: true });
  await withFileLock(
    `${target}.lock`,
    async () => {
      if (isWhole()) return;
      const unfinished = `${target}.unfinished`;
      rmSync(unfinished, { recursive: true, force: true });
      await make(unfinished);
      rmSync(target, { recursive: true, force: true });
      renameSync(unfinished, target);
    },
    () => report(`another process is ${what}, waiting for it`),
  );
}
