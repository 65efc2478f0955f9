import { startMachine } from '../../lab/machine.ts';
import { processesInNamespaceOf } from '../../lab/namespaces.ts';

// Run by machine.test.ts: starts a machine, says what it has, and is killed without a chance to end it.
const { directory, initPid } = await startMachine();
const found = { directory, pids: processesInNamespaceOf(initPid) };
process.stdout.write(JSON.stringify(found), () => process.kill(process.pid, 'SIGKILL'));
