import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { startMachine } from '../../lab/machine.ts';
import { processesInNamespaceOf } from '../../lab/namespaces.ts';

// Run by machine.test.ts: starts a machine, says what it has, and is killed without a chance to end it.
const { directory, initPid } = await startMachine();
const groups = globSync(`/sys/fs/cgroup/{,*/}${basename(directory)}`);
const found = { directory, groups, pids: processesInNamespaceOf(initPid) };
process.stdout.write(JSON.stringify(found), () => process.kill(process.pid, 'SIGKILL'));
