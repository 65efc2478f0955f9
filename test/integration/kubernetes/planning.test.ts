/** `status.planning` on a real API server: a plan from what kubectl prints, and requests to look again. */
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VirtualMachineMemoryStatus } from '../../../src/api/v1alpha1/virtual-machine-memory.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { pathOf } from '../../lab/api-client.ts';
import { run } from '../../lab/run.ts';
import { computeKStatus } from '../../support/kstatus.ts';
import { builtMain } from '../../support/built-program.ts';
import { documented } from '../../support/documents.ts';
import { type DimmerCluster, eventually, memory, startClusterWithOne, uuid } from './support/dimmer-cluster.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

let plane: DimmerCluster;
let controller: LiveController;
beforeAll(async () => {
  plane = await startClusterWithOne();
  controller = await startLiveController(plane, {
    domains: { hv: [{ uuid, name: 'db-vm', boot: gib(1), slots: 8, slotsUsedByOthers: [7], maxMemory: gib(8) }] },
  });
  await eventually('it has what it wants', async () => (await status()).memory?.current === '2Gi' && (await isReady()));
});
afterAll(async () => {
  await controller.close();
  await plane.stop();
});

const read = () => plane.get('vmmem', 'db', '-n', 't');
const status = async () => (await read())['status'] as VirtualMachineMemoryStatus;
const isReady = async () => (await status()).conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
const version = async () => (await read()).metadata['resourceVersion'];
const annotate = (value: string) =>
  plane.api.merge(pathOf('vmmem', 'db', 't'), {
    metadata: { annotations: { 'dimmer.dev/observe-requested-at': value } },
  });

/** Types a command of the documents. */
async function type(command: string): Promise<string> {
  const typed = command.replace(/vmmem([ /])NAME/, 'vmmem$1db -n t').replace(/\bdimmer\b(?= plan)/, '"$0" "$1"');
  const env = {
    PATH: `${dirname(plane.kubectlPath)}:${process.env['PATH'] ?? ''}`,
    KUBECONFIG: plane.adminKubeconfig,
    HOME: plane.directory,
  };
  const { code, stdout, stderr } = await run('sh', ['-euc', typed, process.execPath, builtMain], { env });
  expect([typed, code, stderr]).toEqual([typed, 0, '']);
  return stdout;
}

describe('the plan of an object', () => {
  it('is made by `dimmer plan` from what kubectl prints, as the guide has it', async () => {
    const told = await type(
      documented('docs/user-guide.md', '`kubectl get vmmem NAME -o yaml | dimmer plan --status - --memory 6Gi`').text,
    );
    expect(told).toMatch(/^Plug \(Plugging\): plug .* to go from 2Gi to 6Gi/);
    // For the same wish it is what the controller says.
    const yaml = documented('docs/planner.md', '`kubectl get vmmem NAME -o yaml`').text;
    const plan = JSON.parse(await type(`${yaml} | dimmer plan --status - -o json`)) as Record<string, unknown>;
    expect(plan['message']).toBe((await status()).plan?.message);
    expect(plan['reason']).toBe('Converged');
  });
});

describe('a paused change', () => {
  const conditions = async () =>
    Object.fromEntries(
      ((await status()).conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]),
    );

  it('leaves Ready as it is where nothing is to be done', async () => {
    await plane.kubectlOk(['annotate', 'vmmem', 'db', '-n', 't', 'dimmer.dev/paused=true']);
    await plane.kubectlOk(['wait', 'vmmem/db', '-n', 't', '--for=condition=Paused', '--timeout=30s']);
    expect(await conditions()).toMatchObject({ Ready: 'True Converged', Stalled: 'False Converged' });
    expect(computeKStatus(await read())).toBe('Current');
  });

  it('can be waited for as the guide says, and is neither under way nor failed', async () => {
    await plane.apply(memory('db', 't', { memory: '6Gi' }));
    await type(
      documented('docs/user-guide.md', "`kubectl wait vmmem/NAME --for=jsonpath='{.status.memory.target}'=6Gi`").text,
    );
    expect(await conditions()).toMatchObject({
      Ready: 'False Paused',
      Reconciling: 'False Paused',
      Stalled: 'False Paused',
    });
    expect(computeKStatus(await read())).toBe('InProgress');
    expect(controller.host('hv').script.total(uuid)).toBe(gib(2));
    await plane.apply(memory('db', 't', { memory: '2Gi' }));
    await plane.kubectlOk(['annotate', 'vmmem', 'db', '-n', 't', 'dimmer.dev/paused-']);
    await plane.kubectlOk(['wait', 'vmmem/db', '-n', 't', '--for=condition=Paused=false', '--timeout=30s']);
  });
});

describe('a request to look again', () => {
  it('has the planning written anew and answers with its own value', async () => {
    const before = await status();
    controller.host('hv').script.setUsed(uuid, mib(700));
    const stored = await version();
    // It is no news by itself, though the guest reports it and the controller looks.
    await plane.kubectlOk(['annotate', 'vmmem', 'db', '-n', 't', 'acme.io/other=1']);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect((await status()).planning).toEqual(before.planning);
    await annotate('a');
    const after = await eventually('it is looked at', async () => {
      const now = await status();
      return now.lastHandledObserveAt === 'a' && now;
    });
    expect(after.planning?.guest?.usable).not.toBe(before.planning?.guest?.usable);
    expect(after.memory).toEqual(before.memory);
    expect(await version()).not.toBe(stored);
  });

  it('is heeded every 5 s at most', async () => {
    const startMs = Date.now();
    await annotate('b');
    await eventually('it is looked at', async () => (await status()).lastHandledObserveAt === 'b');
    await annotate('c');
    await annotate('d');
    await eventually('the last is looked at', async () => (await status()).lastHandledObserveAt === 'd');
    expect(Date.now() - startMs).toBeGreaterThan(5_000);
  });

  it('may have any length', async () => {
    await annotate('long-'.repeat(1_000));
    await eventually('it is looked at', async () => (await status()).lastHandledObserveAt?.startsWith('long-'));
  });
});
