/** What a killed libvirtd forgets in the middle of a plug is found in QEMU and taken away, and nothing else is. */
import { beforeEach, expect, test } from 'vitest';
import type { DomainObservation } from '../../../src/host/port.ts';
import { MiB, mib } from '../../../src/memory/bytes.ts';
import { codeOf, eventually, plugRequest, valueOf } from '../../contract/bench.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';

const size = mib(128);

type QmpDevice = { readonly type: string; readonly data: { readonly id: string; readonly slot: number } };

await describeAgent(
  'memory that libvirt forgot',
  {
    agentOfEach: true,
    guests: [{ kind: 'accepting', slots: 64 }],
  },
  (bench) => {
    const { observe, plug, reports, start, unplug, until } = bench;
    /** As the controller does: observe, and ask again while the VM is busy. */
    const eventuallyPlugged = (slot: number) =>
      eventually('the VM is not busy', async () => {
        const answer = await plug(slot);
        return codeOf(answer) === 'busy' || codeOf(answer) === 'hypervisor-unreachable' ? null : answer;
      });
    const restartDaemon = async (): Promise<void> => {
      await bench.lab.hypervisor.killDaemon();
      await bench.lab.hypervisor.startDaemon();
      await bench.backAgain();
    };

    const qmp = async <T>(execute: string, args: object = {}): Promise<T> => {
      const text = JSON.stringify({ execute, arguments: args });
      const answer = await bench.lab.hypervisor.virshOk(['qemu-monitor-command', bench.guest.uuid, text]);
      const { return: value, error } = JSON.parse(answer) as { return?: T; error?: { desc: string } };
      if (error !== undefined) throw new Error(`${execute}: ${error.desc}`);
      return value as T;
    };
    const inQemu = async (): Promise<string[]> =>
      (await qmp<QmpDevice[]>('query-memory-devices')).map(({ data }) => data.id).toSorted();
    const backends = async (): Promise<string[]> =>
      (await qmp<{ name: string }[]>('qom-list', { path: '/objects' }))
        .map(({ name }) => name)
        .filter((name) => name.startsWith('mem'))
        .toSorted();
    /** What libvirt would have made in QEMU, had it not died. */
    const forget = async (alias: string, slot: number | null): Promise<void> => {
      await qmp('object-add', { 'qom-type': 'memory-backend-ram', id: `mem${alias}`, size });
      if (slot === null) return;
      await qmp('device_add', { driver: 'pc-dimm', id: alias, memdev: `mem${alias}`, slot, node: 0 });
    };
    const repairs = () => bench.agent.audit.filter(({ operation }) => operation === 'repair');
    const repaired = (alias: string) =>
      waitFor(async () => ![...(await inQemu()), ...(await backends())].some((name) => name.endsWith(alias)), {
        what: `${alias} to be gone from QEMU`,
        timeoutMs: 20_000,
      });

    beforeEach(async () => {
      await reports();
    });
    bench.tidyWith(async () => {
      await waitFor(
        async () => {
          const ids = await inQemu();
          for (const id of ids) await qmp('device_del', { id });
          return ids.length === 0;
        },
        { what: 'QEMU to be without modules', timeoutMs: 30_000, intervalMs: 500 },
      );
      for (const id of await backends()) await qmp('object-del', { id });
    });

    test('a module is asked for and leaves, its backend goes, and what libvirt knows stays', async () => {
      valueOf(await eventuallyPlugged(0));
      await forget('ua-dimmer-5', 5);
      await bench.guestHas(2);
      await restartDaemon();
      await repaired('ua-dimmer-5');
      expect(await inQemu()).toEqual(['ua-dimmer-0']);
      expect(await backends()).toEqual(['memua-dimmer-0']);
      expect(await bench.guest.moduleAliases()).toEqual(['ua-dimmer-0']);
      await bench.guestHas(1);
      const after = await until('the repair is over', () => repairs().length >= 3);
      expect(after.layout).toMatchObject({ hotplugProblem: null, hidden: null, slots: { resting: [5] } });
      const by = { client: 'agent', uuid: bench.guest.uuid, slot: 5, objectUid: after.claim?.objectUid };
      expect(repairs()).toMatchObject([
        { ...by, result: 'accepted', from: 768 * MiB, to: 640 * MiB },
        { ...by, result: 'done', from: 768 * MiB, to: 640 * MiB },
        { ...by, result: 'done' },
      ]);
      // The balloon's figure is old now, and no longer stands in the way.
      valueOf(await eventuallyPlugged(6));
      valueOf(await plug(7));
      expect(await inQemu()).toEqual(['ua-dimmer-0', 'ua-dimmer-6', 'ua-dimmer-7']);
    });

    test('nothing is changed on the VM while a leftover is there, and it is not taken while it is in use', async () => {
      valueOf(await eventuallyPlugged(0));
      await forget('ua-dimmer-5', 5);
      await bench.guestHas(2);
      const use = await bench.guest.useMemory(480);
      // The agent looks as soon as libvirt is back: what the guest has said by then must be what it uses.
      await until('the use is reported', ({ guest: report }) => (report?.usable ?? Infinity) < 250 * MiB);
      await restartDaemon();
      await eventually('the leftover is found', async () =>
        (await observe()).layout?.slots.usedByOthers.includes(5) ? true : null,
      );
      const refused = await plug(1);
      expect(refused).toMatchObject({ error: { code: 'busy' } });
      expect(refused.ok ? '' : refused.error.message).toContain('module ua-dimmer-5 (128Mi)');
      expect(codeOf(await unplug(0))).toBe('busy');
      await eventually('it is said why', async () => {
        const answer = await plug(1);
        return !answer.ok && answer.error.message.includes('it is using the memory') ? true : null;
      });
      expect(repairs()).toEqual([]);
      expect(await inQemu()).toEqual(['ua-dimmer-0', 'ua-dimmer-5']);
      expect(await use.isAlive()).toBe(true);

      await use.free();
      await repaired('ua-dimmer-5');
      expect(codeOf(await eventuallyPlugged(1))).toBe('ok');
      await bench.guestHas(2);
    });

    test('a backend alone, which holds its name, is deleted once the name is missed', async () => {
      await forget('ua-dimmer-3', null);
      valueOf(await eventuallyPlugged(3));
      expect(await bench.guest.moduleAliases()).toEqual(['ua-dimmer-3-2']);
      await waitFor(async () => (await backends()).length === 1, {
        what: 'the leftover backend to be deleted',
        timeoutMs: 10_000,
      });
      expect(await backends()).toEqual(['memua-dimmer-3-2']);
      expect(repairs()).toMatchObject([{ slot: 3, result: 'done' }]);
    });

    test("somebody else's is left alone, and said", async () => {
      valueOf(await eventuallyPlugged(0));
      await forget('ua-by-hand', 9);
      await restartDaemon();
      const said = await until('it is said', ({ layout }) => layout?.hotplugProblem !== null);
      expect(said.layout?.hotplugProblem).toContain('QEMU has 128Mi that libvirt does not know of');
      expect(said.layout?.hotplugProblem).toContain('did not plug it');
      expect(said.layout?.hidden).toEqual({ size: 128 * MiB, leaves: false, why: said.layout?.hotplugProblem });
      expect(codeOf(await plug(1))).toBe('hotplug-unsupported');
      expect(await inQemu()).toEqual(['ua-by-hand', 'ua-dimmer-0']);
      expect(repairs()).toEqual([]);
    });

    test('an agent that was away finds it, too', async () => {
      valueOf(await eventuallyPlugged(0));
      await bench.agent.stop();
      await forget('ua-dimmer-4', 4);
      await bench.lab.hypervisor.killDaemon();
      await bench.lab.hypervisor.startDaemon();
      await start();
      await repaired('ua-dimmer-4');
      expect(await inQemu()).toEqual(['ua-dimmer-0']);
    });

    test('a VM without leftovers is not tainted', async () => {
      await bench.guest.destroy();
      await bench.guest.start();
      await reports();
      valueOf(await eventuallyPlugged(0));
      await restartDaemon();
      await bench.agent.stop();
      await start();
      await reports();
      // Whatever is looked at when libvirt is back has been looked at: a plug would be busy.
      valueOf(await plug(1));
      expect(await bench.lab.hypervisor.virshOk(['dominfo', bench.guest.uuid])).not.toContain('custom monitor');
    });

    test('libvirtd killed 2 to 20 ms after a plug began, twenty times: one module each time', async () => {
      const { unplugged, rounds } = { unplugged: [] as number[], rounds: 20 };
      for (let round = 0; round < rounds; round += 1) {
        const delayMs = 2 + (round % 10) * 2;
        const before = await reports();
        const slot = freeSlot(before);
        const answered = bench.agent.service.plug(bench.guest.uuid, before.revision, plugRequest(slot, size));
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        await bench.lab.hypervisor.killDaemon();
        const first = codeOf(await answered);
        expect(['ok', 'outcome-unknown', 'hypervisor-unreachable', 'rejected', 'busy']).toContain(first);
        await bench.lab.hypervisor.startDaemon();

        // The controller: observe, plug what is missing, until it is there.
        const aliases = await eventually(
          'the module is there',
          async () => {
            const seen = await bench.client.observe(bench.guest.uuid);
            if (!seen.ok || seen.value.layout === null) return null;
            const { modules } = seen.value.layout;
            if (modules.length > 0) return modules.map(({ alias }) => alias);
            await bench.client.plug(bench.guest.uuid, seen.value.revision, plugRequest(freeSlot(seen.value), size));
            return null;
          },
          30_000,
        );
        expect(aliases).toHaveLength(1);
        await waitFor(async () => (await inQemu()).join() === aliases.join(), {
          what: `QEMU to have ${aliases.join()} alone`,
          timeoutMs: 30_000,
        });
        expect(await bench.guest.moduleAliases()).toEqual(aliases);
        await bench.guestHas(1);
        await waitFor(async () => (await backends()).join() === `mem${aliases.join()}`, {
          what: 'QEMU to have one backend',
          timeoutMs: 10_000,
        });

        const plugged = Number(aliases[0]?.split('-')[2]);
        await until('the guest says so', ({ guest: report }) => (report?.usable ?? 0) > 200 * MiB);
        await eventually('it can be asked for', async () => ((await unplug(plugged)).ok ? true : null));
        unplugged.push(plugged);
        await until('it leaves', ({ layout }) => layout?.modules.length === 0);
      }
      expect(unplugged).toHaveLength(rounds);
      const orphans = repairs().filter(({ from, to, result }) => result === 'done' && from !== to);
      // Each module's own backend goes after it.
      const backendsAlone =
        repairs().filter(({ from, to, result }) => result === 'done' && from === to).length - orphans.length;
      process.stdout.write(
        `${rounds} kills: ${orphans.length} modules and ${backendsAlone} backends alone left behind\n`,
      );
    }, 400_000);
  },
);

/** The lowest slot that a controller would take. */
function freeSlot({ layout }: DomainObservation): number {
  const taken = [
    ...(layout?.modules ?? []).map(({ slot }) => slot),
    ...(layout?.slots.usedByOthers ?? []),
    ...(layout?.slots.resting ?? []),
  ];
  return Array.from({ length: layout?.slots.total ?? 0 }, (_, slot) => slot).find((slot) => !taken.includes(slot)) ?? 0;
}
