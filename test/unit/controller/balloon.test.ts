import { afterEach, describe, expect, it } from 'vitest';
import { bytes, gib, mib } from '../../../src/memory/bytes.ts';
import type { SimulatedDomainSpec } from '../../../src/host/simulated/domain-spec.ts';
import { type ControllerBench, createControllerBench, vmUuid } from '../../support/controller-bench.ts';

describe('a balloon that holds memory back', () => {
  let bench: ControllerBench;
  afterEach(() => bench.close());
  const start = async (spec: Partial<SimulatedDomainSpec> = {}) => {
    bench = await createControllerBench([{ uuid: vmUuid, name: 'db-1', boot: mib(512), ...spec }]);
  };
  const hold = (held: number) => bench.host().script.setInflated(vmUuid, mib(held));

  it('is told with how much and how to let it go, and Ready is not True until it is let go', async () => {
    await start();
    bench.apply({ memory: '512Mi' });
    await bench.reaches('Converged');
    hold(149);
    await bench.reaches('BalloonInflated');
    expect(bench.condition('Ready')).toMatchObject({
      status: 'False',
      message:
        'the VM has 512Mi, but its balloon holds 149Mi back from the guest: whoever manages its host lets go of it with ' +
        `'virsh setmem ${vmUuid} 524288 --live', or with what inflates it`,
    });
    expect(bench.condition('Reconciling')?.status).toBe('True');
    expect(bench.status().memory).toMatchObject({ current: '512Mi', balloon: '363Mi' });
    hold(0);
    await bench.reaches('Converged');
  });

  it('keeps a growth from its end, which comes when it is let go', async () => {
    await start();
    hold(200);
    bench.apply({ memory: '1Gi' });
    await bench.reaches('BalloonInflated');
    expect(bench.host().script.total(vmUuid)).toBe(gib(1));
    expect(bench.status().lastResize?.completionTime).toBeUndefined();
    hold(0);
    await bench.reaches('Converged');
    expect(bench.status().lastResize).toMatchObject({
      from: '512Mi',
      to: '1Gi',
      completionTime: expect.any(String) as string,
    });
  });

  it('is no reason where nothing is wanted, and is told where it is paused', async () => {
    await start();
    hold(149);
    bench.apply({});
    await bench.reaches('ObserveOnly');
    bench.apply({ memory: '512Mi', paused: true });
    await bench.reaches('Paused');
    expect(bench.condition('Ready')?.message).toContain('its balloon holds 149Mi back');
  });

  it('is none when it is what libvirt has rounded, or a figure that the guest belies beside virtio-mem', async () => {
    await start();
    bench.host().script.setInflated(vmUuid, bytes(1_234_567));
    bench.apply({ memory: '512Mi' });
    await bench.reaches('Converged');
    await bench.close();
    await start({ otherBytes: gib(1), reports: false });
    hold(149);
    bench.apply({ memory: '512Mi' });
    await bench.reaches('Converged');
    expect(bench.condition('Ready')?.message).toMatch(/whether its balloon holds 149Mi back, .* is known only while/);
    bench.host().script.setReports(vmUuid, true);
    await bench.reaches('BalloonInflated');
  });
});
