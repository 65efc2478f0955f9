/** What stands behind a VM's memory, through the whole product: QEMU touches it at once, or another process maps it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { describeLab } from '../lab/describe.ts';
import type { ClockWatch, LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { type Stack, startStack } from '../lab/stack.ts';
import { sharedMemoryXml, startVhostUser, type VhostUserBackend } from '../lab/vhost-user.ts';
import { waitFor } from '../lab/wait.ts';

vi.setConfig({ testTimeout: 240_000 });

await describeLab('what stands behind memory', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dimmer-backing-'));
  let backend: VhostUserBackend;
  let stack: Stack;
  beforeAll(async () => {
    backend = await startVhostUser(join(directory, 'vhost-user.sock'));
    const lab = await startLab({
      controlPlane: 'shared',
      guests: [
        {
          kind: 'accepting',
          name: 'immediate',
          extraXml: `<memoryBacking><allocation mode='immediate'/></memoryBacking>`,
        },
        // QEMU can't save it: the backend would have to tell which memory it has written to.
        {
          kind: 'accepting',
          name: 'mapped',
          boots: true,
          extraXml: sharedMemoryXml,
          extraDevicesXml: backend.deviceXml,
        },
      ],
    });
    stack = await startStack(lab);
  });
  afterAll(async () => {
    await stack.stop();
    await backend.stop();
    rmSync(directory, { recursive: true });
  });

  const guestNamed = (name: string): LabGuest => {
    const found = stack.lab.guests.find((guest) => guest.name === name);
    if (found === undefined) throw new Error(`no guest ${name}`);
    return found;
  };
  const apply = async ({ name, uuid }: LabGuest, spec: Readonly<Record<string, unknown>>) => {
    const applied = await stack.apply(stack.manifest(name, uuid, spec));
    expect(applied.code, applied.stderr).toBe(0);
  };
  const mibOf = (quantity: string): number => Number(/^(\d+)Mi$/.exec(quantity)?.[1]);
  const message = ({ status }: VirtualMachineMemory): string =>
    status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
  const gone = (guest: LabGuest, alias: string) =>
    waitFor(async () => !(await guest.moduleAliases()).includes(alias), {
      ...{ what: `${alias} to leave`, timeoutMs: 60_000 },
    });

  it('a guest whose memory is touched at once is grown in small pieces, and its clock goes on', async () => {
    const guest = guestNamed('immediate');
    const mib = 3072;
    const boot = await guest.memTotalKiB();
    const has = (more: number) =>
      waitFor(async () => (await guest.memTotalKiB()) === boot + more * 1024, {
        ...{ what: `the guest to have ${more} MiB more`, timeoutMs: 120_000 },
      });
    const watched = async (change: () => Promise<unknown>): Promise<ClockWatch> => {
      const end = await guest.watchClock();
      await change();
      await has(mib);
      return end();
    };
    const { guestMs, hostMs } = await watched(async () => {
      await apply(guest, { memory: `${512 + mib}Mi` });
      const { status } = await stack.reaches(guest.name, 'Converged', 180_000);
      const sizes = status?.modules?.map(({ size }) => mibOf(size)) ?? [];
      expect(Math.max(...sizes)).toBe(512);
    });

    // How long it stood still in between is measured by `npm run bench -- pauses`: how fast memory is touched differs by a
    // factor of 20 from one time to the next, so that no test can tell. Its clock went on, so that its word can be believed.
    expect(guestMs).toBeGreaterThan(0.9 * hostMs - 1000);
  });

  it('another process that maps every module is named, with how many it surely can and the way to fewer', async () => {
    const guest = guestNamed('mapped');
    await apply(guest, { memory: '2Gi', paused: true });
    const planned = message(await stack.reaches(guest.name, 'Paused'));
    expect(planned).toContain('vhost-user has to map every module and surely has room for 6 more; growPolicy Whole');
    await apply(guest, { memory: '2Gi', growPolicy: 'Whole' });
    const grown = await stack.reaches(guest.name, 'Converged');
    expect(grown.status?.modules).toHaveLength(1);
  });

  it('that has no room: said so, and the plug is tried again until there is', async () => {
    const guest = guestNamed('mapped');
    // What comes by hand would be taken out again.
    await apply(guest, { memory: '2Gi', paused: true });
    await stack.reaches(guest.name, 'Converged');
    const byHand: string[] = [];
    for (let count = 0; count < 12; count++) {
      const alias = `ua-hand-${count}`;
      const plugged = await guest.plugDimm(128, alias).then(
        () => true,
        (error: unknown) => {
          expect(String(error)).toContain('vhost backend has no free memory slots left');
          return false;
        },
      );
      if (!plugged) break;
      byHand.push(alias);
    }
    // One is the resource's own. One more than sure: so little boot memory has one region, below the PCI hole.
    expect(byHand.length + 1).toBe(7);

    const size = 2048 + 128 * byHand.length;
    await apply(guest, { memory: `${size + 128}Mi` });
    const failed = message(await stack.reaches(guest.name, 'HypervisorFailed'));
    expect(failed).toContain('the VM has a vhost-user device, whose backend may have no room for another module');
    expect(failed).toContain('growPolicy Whole takes the fewest modules');

    const last = byHand.at(-1) ?? '';
    await guest.unplugDimm(last);
    await gone(guest, last);
    const { status } = await stack.reaches(guest.name, 'Converged');
    expect(status?.memory?.current).toBe(`${size + 128}Mi`);
  });
});
