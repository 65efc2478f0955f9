/** A balloon that somebody inflates on a real libvirt, told by the whole product, and let go as it says. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { describeLab } from '../lab/describe.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { type Stack, startStack } from '../lab/stack.ts';

vi.setConfig({ testTimeout: 120_000 });

await describeLab('a balloon that holds memory back', () => {
  let lab: Lab;
  let stack: Stack;
  beforeAll(async () => {
    lab = await startLab({
      controlPlane: 'shared',
      guests: [{ kind: 'accepting', name: 'db-1', nodes: [{ mib: 512, vcpus: 1 }] }],
    });
    stack = await startStack(lab);
  });
  afterAll(() => stack.stop());

  it('keeps Ready from being True, and is let go by the command that is told', async () => {
    const { name, uuid } = lab.guest('accepting');
    await stack.apply(stack.manifest(name, uuid, { memory: '512Mi' }));
    await stack.reaches(name, 'Converged');

    await lab.hypervisor.virshOk(['setmem', uuid, '363MiB', '--live']);
    const { status } = await stack.reaches(name, 'BalloonInflated');
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'False' });
    const [, held = '', command = ''] = /holds (\d+)Mi back .*'virsh ([^']+)'/.exec(ready?.message ?? '') ?? [];
    expect(Number(held)).toBeGreaterThan(16);

    await lab.hypervisor.virshOk(command.split(' '));
    await stack.reaches(name, 'Converged');

    // What is plugged counts for the balloon: a growth and the way back aren't taken for one that is inflated.
    for (const size of ['640Mi', '512Mi']) {
      await stack.apply(stack.manifest(name, uuid, { memory: size }));
      await stack.reaches(name, 'Converged');
    }
  });
});
