/** What isn't judged doesn't count as yes: real guests that have not what they were given, can't say so, or stand still. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VirtualMachineMemory } from '../../src/api/v1alpha1/virtual-machine-memory.ts';
import { MiB } from '../../src/memory/bytes.ts';
import { parseQuantity } from '../../src/memory/quantity.ts';
import { pathOf } from '../lab/api-client.ts';
import { beside } from '../lab/beside.ts';
import { describeLab } from '../lab/describe.ts';
import { killGuestAgent, startGuestAgent, startLyingGuestAgent } from '../lab/guest-agent.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { type Lab, startLab } from '../lab/lab.ts';
import { STACK_PARTS } from '../lab/needs.ts';
import { namespace, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const onlineAll =
  'for block in /sys/devices/system/memory/memory*; do [ "$(cat $block/state)" = offline ] && echo online_movable > $block/state; done; true';

const mibOf = (size: string | undefined): number => {
  const parsed = parseQuantity(size ?? '0');
  return parsed.ok ? parsed.value / MiB : Number.NaN;
};
const readyOf = ({ status }: VirtualMachineMemory): string | undefined =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.status;

await describeLab(
  'what a real guest has',
  () => {
    let lab: Lab;
    let stack: Stack;
    beforeAll(async () => {
      const offline = { kernelArgs: ['memhp_default_state=offline'], guestAgent: true };
      lab = await startLab({
        controlPlane: 'shared',
        guests: [
          { kind: 'accepting', name: 'tidy' },
          { kind: 'accepting', name: 'offline', ...offline },
          { kind: 'accepting', name: 'crash', nodes: [{ mib: 1024, vcpus: 1 }], kernelArgs: ['crashkernel=192M'] },
          { kind: 'accepting', name: 'wordless', balloonDriver: false, guestAgent: true },
          { kind: 'accepting', name: 'narrow', nodes: [{ mib: 256, vcpus: 1 }] },
          { kind: 'no-os', name: 'bare', leaveOff: true },
        ],
      });
      // Before an agent is there: nobody has seen these guests without modules.
      for (const name of ['offline', 'crash']) await guestNamed(name).plugDimm(512, 'ua-by-hand');
      stack = await startStack(lab, { agentOptions: ['--guest-agent'] });
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

    /** Waits until HotplugReady has this status and reason and a message like that. */
    const isTold = async (name: string, said: string, message: RegExp): Promise<void> => {
      let seen = 'nothing';
      await waitFor(
        async () => {
          const { status } = await stack.read(name);
          const found = status?.conditions?.find(({ type }) => type === 'HotplugReady');
          seen = `${found?.status ?? ''} ${found?.reason ?? ''}: ${found?.message ?? ''}`;
          return seen.startsWith(`${said}:`) && message.test(found?.message ?? '');
        },
        { what: `${name} to be told ${said}`, timeoutMs: 120_000, intervalMs: 200, details: () => seen },
      );
    };
    /** Has it looked at again and again, as nothing tells of what is waited for. */
    const lookedAt = async (
      name: string,
      until: () => Promise<unknown>,
      before: () => Promise<unknown> = () => Promise.resolve(),
    ): Promise<void> => {
      const end = new AbortController();
      const looks = (async () => {
        while (!end.signal.aborted) {
          await before();
          const annotations = { 'dimmer.dev/observe-requested-at': String(Date.now()) };
          await lab.controlPlane.api.merge(pathOf('vmmem', name, namespace), { metadata: { annotations } });
          await new Promise((resolve) => setTimeout(resolve, 6_000));
        }
      })();
      try {
        await until();
      } finally {
        end.abort();
        await looks;
      }
    };

    beside('a module from before', () => {
      it('a module plugged before anybody looked, which it never onlined: not Ready, and the total is told', async () => {
        const offline = guestNamed('offline');
        await startGuestAgent(offline);
        await wants('offline', { memory: '1Gi' });
        const { status, message, hotplug, advice } = await says('offline', 'GuestNotOnlined');
        expect([status, hotplug]).toEqual(['False', 'False GuestNotOnlined']);
        expect(advice).toContain('memhp_default_state=online');
        const [, total = '', missing = ''] = /its own total is (\d+)Mi, (\d+)Mi less/.exec(message) ?? [];
        expect(Number(total)).toBeLessThan(512);
        expect(Number(missing)).toBeGreaterThan(512);
        await isTold(
          'offline',
          'False GuestNotOnlined',
          /guest agent says that 4 blocks of 128Mi are offline: online it/,
        );
        expect((await stack.read('offline')).status?.notOnlined?.times).toBe(1);
        // Somebody onlines it.
        await offline.shOk(onlineAll);
        // Block after block: as long as the last is missing its kernel might keep as much.
        await waitFor(async () => (await says('offline', 'Converged')).message === 'the guest has 1Gi, as wanted', {
          ...{ what: 'the guest to have all of it', timeoutMs: 60_000, intervalMs: 500 },
          details: async () => (await says('offline', 'Converged')).message,
        });
        await isTold('offline', 'True AsExpected', /^$/);
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

      it('statistics that somebody switches off are named, and no longer once they are on', async () => {
        const period = (seconds: number) =>
          lab.hypervisor.virshOk(['dommemstat', 'tidy', '--period', String(seconds), '--live']);
        // Again and again: whenever the agent asks the guest it switches them on.
        const off = () => isTold('tidy', 'Unknown GuestMemoryUnknown', /^its memory statistics are off/);
        await lookedAt('tidy', off, () => period(0));
        await period(2);
        await lookedAt('tidy', () => isTold('tidy', 'True AsExpected', /^$/));
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
        const driver = /has not loaded its driver virtio_balloon; its QEMU guest agent does not answer/;
        await isTold('wordless', 'Unknown GuestMemoryUnknown', driver);
        await guestNamed('wordless').shOk('insmod /modules/virtio_balloon.ko');
        await isTold('wordless', 'True AsExpected', /^its QEMU guest agent does not answer/);
        await startGuestAgent(guestNamed('wordless'), ['guest-get-memory-blocks']);
        const blocked = /^its QEMU guest agent does not tell its memory blocks: allow guest-get-memory-blocks/;
        await lookedAt('wordless', () => isTold('wordless', 'True AsExpected', blocked));
      });

      it('what its agent says is told, and nothing is decided by it', async () => {
        const wordless = guestNamed('wordless');
        await killGuestAgent(wordless);
        await startLyingGuestAgent(wordless);
        const lie = /^its QEMU guest agent says that 5 blocks of 128Mi are offline/;
        await lookedAt('wordless', () => isTold('wordless', 'False GuestNotOnlined', lie));
        expect(readyOf(await stack.read('wordless'))).toBe('True');
        await wants('wordless', { memory: '512Mi' });
        expect(await says('wordless', 'Converged')).toMatchObject({ message: 'the guest has 512Mi, as wanted' });
        expect(await wordless.moduleAliases()).toEqual([]);
        await killGuestAgent(wordless);
        await startGuestAgent(wordless);
        await lookedAt('wordless', () => isTold('wordless', 'True AsExpected', /^$/));
      });
    });

    beside('a domain that lacks something', () => {
      it('each is named with what to change, and no longer once it is started with it', async () => {
        const bare = guestNamed('bare');
        const whole = await bare.dumpXml();
        const startAs = async (xml: string): Promise<void> => {
          const file = join(lab.hypervisor.directory, 'bare.xml');
          writeFileSync(file, xml);
          await lab.hypervisor.virsh(['destroy', bare.uuid]);
          await lab.hypervisor.virshOk(['define', file]);
          await lab.hypervisor.virshOk(['start', bare.uuid]);
        };
        await startAs(whole.replace(/<maxMemory[^>]*>[^<]*<\/maxMemory>/, ''));
        await wants('bare', {});
        await isTold('bare', 'False HotplugUnsupported', /^The domain has no <maxMemory slots="\.\.\.">/);
        await startAs(whole.replace(/<acpi\/>/, ''));
        await isTold('bare', 'False HotplugUnsupported', /^The domain has no <acpi\/>/);
        const osinfo = 'http://libosinfo.org/xmlns/libvirt/domain/1.0';
        const windows = `<metadata><i:libosinfo xmlns:i="${osinfo}"><i:os id="http://microsoft.com/win/11"/></i:libosinfo></metadata>`;
        await startAs(
          whole
            .replace(/<memballoon[^>]*>[\s\S]*?<\/memballoon>|<memballoon[^>]*\/>/, "<memballoon model='none'/>")
            .replace(/slots='16'/, "slots='1'")
            .replace('<memory ', `${windows}<memory `),
        );
        await isTold(
          'bare',
          'Unknown GuestMemoryUnknown',
          /^it has no memory balloon.*it runs Windows, which never gives/,
        );
        expect((await stack.read('bare')).status?.planning?.reach).toMatchObject({
          limitedBy: 'MaxMemory',
          shrinks: 'Never',
        });
        await bare.plugDimm(128, 'ua-by-hand');
        await isTold('bare', 'False SlotsExhausted', /^its only slot is in use/);
        await startAs(whole);
        await isTold('bare', 'Unknown GuestBooting', /^$/);
      });
    });

    beside('a guest with little free memory', () => {
      it('grows in stages, each of which it has onlined before the next', async () => {
        const narrow = guestNamed('narrow');
        await wants('narrow', { memory: '256Mi' });
        await isTold('narrow', 'True AsExpected', /^it will get at most 4Gi of its maximum of 8Gi/);
        const free = Math.floor((await narrow.memInfoKiB('MemAvailable')) / 1024);
        await narrow.useMemory(free - 28, { locked: true });
        await wants('narrow', { memory: '1280Mi', paused: true });
        let plan: unknown;
        await lookedAt('narrow', () =>
          waitFor(
            async () => {
              const { status } = await stack.read('narrow');
              plan = status?.plan;
              return /in \d stages, (256|512)Mi first/.test(status?.plan?.message ?? '');
            },
            { what: 'stages in its plan', timeoutMs: 60_000, details: () => JSON.stringify(plan) },
          ),
        );
        // It takes up nothing by itself, so that each stage lasts until it is told to.
        await narrow.shOk('echo offline >/sys/devices/system/memory/auto_online_blocks');
        await wants('narrow', { memory: '1280Mi', paused: false });
        const [stages, ready]: [number[], unknown[]] = [[], []];
        let onlined = 256;
        while (onlined < 1280) {
          const seen = await waitFor(
            async () => {
              const { status } = await stack.read('narrow');
              plan = status;
              const current = mibOf(status?.memory?.current);
              const rest = status?.plan?.steps ?? [];
              // What the status says of a stage: what is there, and of what is to come that it waits for the guest.
              const isShown = current === 1280 ? rest.length === 0 : rest[0]?.waitForOnline === true;
              return current > onlined && isShown && current - onlined;
            },
            {
              what: `a stage beyond ${onlined} MiB in the status`,
              timeoutMs: 60_000,
              details: () => JSON.stringify(plan),
            },
          );
          expect(await narrow.memTotalKiB()).toBeLessThan(onlined * 1024);
          ready.push(readyOf(await stack.read('narrow')));
          stages.push(seen);
          onlined += seen;
          await narrow.shOk(onlineAll);
        }
        expect((await says('narrow', 'Converged')).message).toContain('the guest has 1280Mi, as wanted');
        expect(await narrow.memTotalKiB()).toBeGreaterThan(1024 * 1024);
        expect(stages.length).toBeGreaterThan(1);
        expect(new Set(ready)).toEqual(new Set(['False']));
        expect(Math.max(...stages)).toBeLessThanOrEqual(512);
        expect(await narrow.oomKills()).toBe(0);
      });

      it('is told that its maximum is out of reach, until it is started with more boot memory', async () => {
        const narrow = guestNamed('narrow');
        await wants('narrow', { memory: '1Gi' });
        await says('narrow', 'Converged');
        await isTold(
          'narrow',
          'True AsExpected',
          /^it will get at most 4Gi of its maximum of 8Gi: 16 times its boot memory/,
        );
        await narrow.destroy();
        const file = join(lab.hypervisor.directory, 'narrow.xml');
        writeFileSync(file, (await narrow.dumpXml()).replaceAll(String(256 * 1024), String(512 * 1024)));
        await lab.hypervisor.virshOk(['define', file]);
        await narrow.start();
        await isTold('narrow', 'True AsExpected', /^$/);
        expect((await says('narrow', 'Converged')).message).toContain('the guest has 1Gi, as wanted');
        expect(await narrow.memTotalKiB()).toBeGreaterThan(900 * 1024);
      });
    });
  },
  [...STACK_PARTS, 'guest-agent'],
);
