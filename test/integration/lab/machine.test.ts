/** The lab's machine under systemd: its own, and gone without a trace. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { describeLab } from '../../lab/describe.ts';
import { createLabDirectory, removeLabDirectory } from '../../lab/directory.ts';
import { type LabMachine, startMachine } from '../../lab/machine.ts';
import { processesInNamespaceOf } from '../../lab/namespaces.ts';
import { run } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';

/** Control groups of a lab, in whatever hierarchies there are. */
const controlGroupsOf = (directory: string): string[] => globSync(`/sys/fs/cgroup/{,*/}${basename(directory)}`);

await describeLab(
  'machines of the lab',
  () => {
    test('are run by systemd, have users and services of their own, and the programs of this one', async () => {
      const machine = await startMachine({ shows: { '/srv/shown.txt': import.meta.filename } });
      try {
        expect(await machine.runOk('cat', ['/proc/1/comm'])).toBe('systemd\n');
        expect(await machine.runOk('cat', ['/srv/shown.txt'])).toBe(readFileSync(import.meta.filename, 'utf8'));
        await machine.runOk('useradd', ['--system', 'somebody']);
        expect(readFileSync('/etc/passwd', 'utf8')).not.toContain('somebody');
        expect(readFileSync(join(machine.etcDirectory, 'passwd'), 'utf8')).toContain('somebody');
        await machine.runOk('touch', ['/usr/bin/only-here']);
        expect(existsSync('/usr/bin/only-here')).toBe(false);
        const running = await machine.runOk('systemctl', ['list-units', '--type=service', '--plain', '--no-legend']);
        expect(running.trim().split('\n')).toEqual([expect.stringMatching(/^systemd-journald\.service /)]);
      } finally {
        await machine.stop();
      }
    });

    test('may not turn the knobs of the kernel that they share', async () => {
      const machine = await startMachine();
      try {
        for (const knob of ['/proc/sys/vm/swappiness', '/sys/kernel/mm/ksm/run']) {
          const { code, stderr } = await machine.run('sh', [
            '-c',
            `cat ${knob} >/tmp/value && cat /tmp/value >${knob}`,
          ]);
          expect([knob, code, stderr]).toEqual([knob, expect.any(Number), expect.stringContaining('Read-only')]);
        }
      } finally {
        await machine.stop();
      }
    });

    test('do not disturb each other, and leave nothing behind', async () => {
      const machines = await Promise.all([startMachine(), startMachine()]);
      const [first, second] = machines;
      try {
        const pids = processesInNamespaceOf(first.initPid);
        expect(pids.length).toBeGreaterThan(1);
        expect(controlGroupsOf(first.directory)).not.toEqual([]);
        await first.stop();
        expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
        expectNoTrace(first);
        expect(await second.runOk('systemctl', ['is-system-running'])).toBe('running\n');
      } finally {
        await Promise.all(machines.map((machine) => machine.stop()));
      }
      expectNoTrace(second);
    });

    test('end when the process that started them is killed, and the next lab sweeps what they leave', async () => {
      const { stdout, stderr } = await run(process.execPath, [join(import.meta.dirname, 'abandoned-machine.ts')]);
      expect(stdout, stderr).not.toBe('');
      const left = JSON.parse(stdout) as { directory: string; groups: string[]; pids: number[] };
      expect(left.pids.length).toBeGreaterThan(1);
      expect(left.groups).not.toEqual([]);
      await waitFor(() => !left.pids.some((pid) => existsSync(`/proc/${pid}`)), {
        ...{ what: 'the processes of an abandoned machine to end', timeoutMs: 10_000 },
      });
      removeLabDirectory(createLabDirectory());
      // Another lab on this machine may have begun to sweep, too.
      await waitFor(() => ![left.directory, ...left.groups].some((path) => existsSync(path)), {
        ...{ what: 'the rest of an abandoned machine to be swept', timeoutMs: 10_000 },
      });
    });

    function expectNoTrace({ directory }: LabMachine): void {
      expect(existsSync(directory)).toBe(false);
      expect(controlGroupsOf(directory)).toEqual([]);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(directory);
    }
  },
  ['machine'],
);
