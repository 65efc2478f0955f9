/** What isn't judged doesn't count as yes: real guests that have not what they were given, can't say so, or stand still. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { beside } from '../lab/beside.ts';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 300_000 });

await describeLab('what a real guest has', () => {
  let lab: Lab;
  let stack: Stack;
  beforeAll(async () => {
    const offline = { kernelArgs: ['memhp_default_state=offline'] };
    lab = await startLab({
      controlPlane: {},
      guests: [
        { kind: 'accepting', name: 'tidy' },
        { kind: 'accepting', name: 'offline', ...offline },
        { kind: 'accepting', name: 'crash', nodes: [{ mib: 1024, vcpus: 1 }], kernelArgs: ['crashkernel=192M'] },
        { kind: 'accepting', name: 'wordless', balloonDriver: false },
      ],
    });
    // Before an agent is there: nobody has seen these guests without modules.
    for (const name of ['offline', 'crash']) await guestNamed(name).plugDimm(512, 'ua-by-hand');
    stack = await startStack(lab);
  });
  afterAll(() => stack.stop());

  const guestNamed = (name: string): LabGuest => {
    const found = lab.guests.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no guest ${name}`);
    return found;
  };
  const wants = async (name: string, spec: Readonly<Record<string, unknown>>): Promise<void> => {
    await stack.apply(stack.manifest(name, guestNamed(name).uuid, spec));
  };
  const says = async (name: string, reason: string) => {
    const { status } = await stack.reaches(name, reason, 120_000);
    const find = (wanted: string) => status?.conditions?.find(({ type }) => type === wanted);
    const [ready, hotplug] = [find('Ready'), find('HotplugReady')];
    return {
      ...{ status: ready?.status, message: ready?.message ?? '' },
      hotplug: `${hotplug?.status ?? ''} ${hotplug?.reason ?? ''}`,
      advice: hotplug?.message ?? '',
    };
  };

  beside('a module from before', () => {
    it('a module plugged before anybody looked, which it never onlined: not Ready, and the total is told', async () => {
      await wants('offline', { memory: '1Gi' });
      const { status, message, hotplug, advice } = await says('offline', 'GuestNotOnlined');
      expect([status, hotplug]).toEqual(['False', 'False GuestNotOnlined']);
      expect(advice).toContain('memhp_default_state=online');
      const [, total = '', missing = ''] = /its own total is (\d+)Mi, (\d+)Mi less/.exec(message) ?? [];
      expect(Number(total)).toBeLessThan(512);
      expect(Number(missing)).toBeGreaterThan(512);
      // Somebody onlines it.
      await guestNamed('offline').shOk(
        'for block in /sys/devices/system/memory/memory*; do [ "$(cat $block/state)" = offline ] && echo online_movable > $block/state; done; true',
      );
      expect(await says('offline', 'Converged')).toEqual({
        ...{ status: 'True', message: 'the guest has 1Gi, as wanted' },
        ...{ hotplug: 'True AsExpected', advice: '' },
      });
    });
  });

  beside('a kernel with a reserve', () => {
    it('a kernel that keeps much for itself, with a module that it took: no alarm', async () => {
      await wants('crash', { memory: '1536Mi' });
      const { status, message } = await says('crash', 'Converged');
      expect([status, message]).toEqual([
        'True',
        expect.stringMatching(/as wanted(; its own total is \d+Mi: whether .*)?$/),
      ]);
      const kept = 1536 * 1024 - (await guestNamed('crash').memTotalKiB());
      expect(kept).toBeGreaterThan(192 * 1024);
    });
  });

  beside('a guest that was seen without modules', () => {
    it('a block plugged by hand that it did not online is missed to the block, where it was seen without', async () => {
      const tidy = guestNamed('tidy');
      // Paused, so that the module isn't taken for drift.
      await wants('tidy', { memory: '512Mi', paused: true });
      await says('tidy', 'Converged');
      await tidy.shOk('echo offline > /sys/devices/system/memory/auto_online_blocks');
      await tidy.plugDimm(128, 'ua-by-hand');
      await wants('tidy', { memory: '640Mi', paused: false });
      await says('tidy', 'WaitingForGuest');
      expect((await says('tidy', 'GuestNotOnlined')).message).toContain('has not onlined 128Mi of its modules');
    });

    it('after a reset it is waited for while it boots, and has what it took up then', async () => {
      const tidy = guestNamed('tidy');
      await tidy.reset();
      await tidy.waitReady();
      // What it onlines as it boots is what its command line says.
      expect(await says('tidy', 'Converged')).toMatchObject({ status: 'True' });
      expect(await tidy.memTotalKiB()).toBeGreaterThan(512 * 1024);
    });

    it('suspended: not Ready, nothing is begun, and all goes on when it is resumed', async () => {
      const tidy = guestNamed('tidy');
      await lab.hypervisor.virshOk(['suspend', tidy.uuid]);
      expect(await says('tidy', 'VMNotRunning')).toMatchObject({
        ...{ status: 'False', hotplug: 'Unknown GuestSuspended' },
        message: expect.stringContaining('is Paused') as string,
      });
      await wants('tidy', { memory: '512Mi' });
      expect((await says('tidy', 'VMNotRunning')).message).toContain('unplug 128Mi');
      await lab.hypervisor.virshOk(['resume', tidy.uuid]);
      await says('tidy', 'Converged');
      expect(await tidy.moduleAliases()).toEqual([]);
    });
  });

  beside('a guest without a word', () => {
    it('without a driver for its balloon: it gets what is wanted, and nobody says that it has it', async () => {
      await wants('wordless', { memory: '640Mi' });
      const { status, message } = await says('wordless', 'GuestMemoryUnknown');
      expect(status).toBe('False');
      expect(message).toContain('the VM has 640Mi, but the guest reports no statistics');
      await waitFor(async () => (await guestNamed('wordless').memTotalKiB()) > 512 * 1024, {
        ...{ what: 'the guest to take the module up', timeoutMs: 60_000 },
      });
      await wants('wordless', { memory: '640Mi', guestSafety: 'BestEffort' });
      const best = await says('wordless', 'Converged');
      expect([best.status, best.message]).toEqual(['True', expect.stringContaining('is not known') as string]);
      // Until then it might still be booting.
      let hotplug = '';
      await waitFor(
        async () => {
          const { status: now } = await stack.read('wordless');
          const condition = now?.conditions?.find(({ type }) => type === 'HotplugReady');
          hotplug = JSON.stringify(condition);
          return condition?.status === 'Unknown' && condition.reason === 'GuestMemoryUnknown';
        },
        { what: 'HotplugReady to say GuestMemoryUnknown', timeoutMs: 120_000, intervalMs: 200, details: () => hotplug },
      );
    });
  });
});
