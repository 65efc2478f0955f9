import { startLab } from '../../lab/lab.ts';

// Run by lab.test.ts: starts a lab, says which processes it has, and is killed without a chance to end them.
const lab = await startLab({ controlPlane: {}, guests: [{ kind: 'no-os' }] });
const pids = [...lab.controlPlane.pids(), ...lab.hypervisor.pids()];
process.stdout.write(JSON.stringify(pids), () => process.kill(process.pid, 'SIGKILL'));
