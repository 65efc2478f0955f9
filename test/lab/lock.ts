import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs `work` while holding an exclusive lock on `lockFile`; waits for its turn without a limit and calls
 * `onWait` when it has to. The lock is flock(2), held by a child that ends when our end of its pipe closes,
 * so it is free again even if this process is killed.
 */
export async function withFileLock<T>(lockFile: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  const holder = spawn('flock', ['--exclusive', lockFile, 'sh', '-c', 'echo locked; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  const waiting = setTimeout(() => onWait?.(), 1000);
  try {
    await Promise.race([
      once(holder.stdout, 'data'),
      ended.then(() => {
        throw new Error(`could not lock ${lockFile}`);
      }),
    ]);
    clearTimeout(waiting);
    return await work();
  } finally {
    clearTimeout(waiting);
    holder.stdin.end();
    await ended;
  }
}
