/** A state directory on a disk that is full: nothing new is begun, it is said, and it goes on by itself. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startDaemon } from '../../lab/daemon.ts';
import { describeLab } from '../../lab/describe.ts';
import { run } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import { builtMain } from '../../support/built-program.ts';

await describeLab(
  'standalone on a full disk',
  () => {
    test('changes nothing and says so, then goes on', async () => {
      const root = mkdtempSync(join(tmpdir(), 'dimmer-full-'));
      const state = join(root, 'state');
      mkdirSync(join(root, 'vms'));
      mkdirSync(state);
      const wish = (memory: string): void => {
        const text = `apiVersion: dimmer.dev/v1alpha1\nkind: VirtualMachineMemory\nmetadata: {name: web}\nspec:\n  virtualMachine: {uuid: 00000000-0000-4000-8000-0000000000d1}\n  memory: ${memory}\n`;
        writeFileSync(join(root, 'aside'), text, { flush: true });
        renameSync(join(root, 'aside'), join(root, 'vms/web.yaml'));
      };
      wish('2Gi');
      // A file system of 64 KiB, which only this process and those that enter its namespace see.
      const args = ['standalone', `--manifests=${join(root, 'vms')}`, `--state-dir=${state}`];
      const script = `mount -t tmpfs -o size=64k tmpfs ${state} && exec "$@"`;
      const daemon = await startDaemon({
        name: 'dimmer standalone',
        command: 'unshare',
        args: [
          '--mount',
          'sh',
          '-c',
          script,
          'sh',
          process.execPath,
          builtMain,
          ...args,
          '--driver=simulated',
          '--simulated-vms=demo',
        ],
        logFile: join(root, 'log'),
      });
      try {
        const inside = async (...command: readonly string[]): Promise<string> =>
          (await run('nsenter', [`--target=${daemon.pid}`, '--mount', '--', ...command])).stdout;
        const shows = (pattern: RegExp): Promise<unknown> =>
          waitFor(
            async () => pattern.test(await inside(process.execPath, builtMain, 'status', `--state-dir=${state}`)),
            {
              ...{ what: String(pattern), timeoutMs: 20_000, intervalMs: 300, details: daemon.logTail },
            },
          );
        await shows(/web .* 2Gi +2Gi +True +Converged/);
        await inside('dd', 'if=/dev/zero', `of=${state}/fill`, 'bs=1k', 'count=64');
        wish('3Gi');
        await shows(/web\.yaml:1:1 the state directory can't be written, so nothing is\s+changed:\s+ENOSPC/);
        await shows(/web .* 2Gi +2Gi +True +Converged/);
        await inside('rm', `${state}/fill`);
        await shows(/web .* 3Gi +3Gi +True +Converged/);
        expect(await inside(process.execPath, builtMain, 'status', `--state-dir=${state}`)).not.toContain(
          'do not count',
        );
      } finally {
        await daemon.stop(5_000);
        rmSync(root, { recursive: true });
      }
    });
  },
  ['machine'],
);
