/** Whoever dies in the middle of a question: the statistics period that stood before it stands again. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Host } from '../../../src/host/port.ts';
import { periodNamespace } from '../../../src/libvirt/xml/statistics-period.ts';
import { bytes, GiB } from '../../../src/memory/bytes.ts';
import { codeOf, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import { waitFor } from '../../lab/wait.ts';
import { type CrashBench, size, startCrashBench } from './crash-bench.ts';
import { type Fate, procedures } from './rpc-relay.ts';

/** An admin's own. */
const seconds = 7;

await describeLab(
  'a question that is cut off',
  () => {
    let bench: CrashBench;

    beforeAll(async () => {
      bench = await startCrashBench();
    });
    afterAll(() => bench.stop());
    afterEach(async () => {
      await bench.clear();
      // What the next agent would find of this one.
      await bench.lab.hypervisor.virsh(['metadata', bench.guest.uuid, periodNamespace, '--live', '--remove']);
      await setPeriod(2);
    });

    const virsh = (args: readonly string[]) => bench.lab.hypervisor.virshOk(args);
    const setPeriod = (period: number) => virsh(['dommemstat', bench.guest.uuid, '--period', String(period), '--live']);
    const stands = async (): Promise<number> =>
      Number(/<stats period='(\d+)'/.exec(await virsh(['dumpxml', bench.guest.uuid]))?.[1] ?? 0);
    const isRecorded = async (): Promise<boolean> =>
      (await virsh(['dumpxml', bench.guest.uuid])).includes(periodNamespace);
    const becomes = (period: number) =>
      waitFor(async () => (await stands()) === period, {
        ...{ what: `the period to be ${period} s`, timeoutMs: 20_000 },
      });
    /** A module that the guest has, an admin's own period, and a question about it that ends in a no. */
    async function prepare(host: Host): Promise<() => ReturnType<Host['unplug']>> {
      const { uuid, revision } = await bench.reports(host);
      valueOf(await host.plug(uuid, revision, plugRequest(0, size)));
      await bench.guestHas(1);
      await setPeriod(seconds);
      const observed = await bench.observe(host);
      return () => host.unplug(uuid, observed.revision, unplugRequest(0, { minUsableAfter: bytes(1024 * GiB) }));
    }
    /** Lets the first of the two calls through. */
    const firstCall = () => bench.relay.intercept(procedures.setMemoryStatsPeriod, () => 'forward');

    test('agent killed between the two calls: the next one puts the period back, and looks again 35 s later', async () => {
      const ask = await prepare(await bench.startProgram());
      const first = firstCall();
      void ask();
      await first;
      await bench.relay.intercept(procedures.setMemoryStatsPeriod, async (): Promise<Fate> => {
        await bench.killProgram();
        return 'drop';
      });
      expect([await stands(), await isRecorded()]).toEqual([0, true]);
      const again = await bench.startProgram();
      await becomes(seconds);
      await bench.reports(again);
      // A call of the dead agent that had waited in libvirt.
      await setPeriod(0);
      expect(await isRecorded()).toBe(true);
      await waitFor(async () => (await stands()) === seconds && !(await isRecorded()), {
        ...{ what: 'the second look', timeoutMs: 45_000 },
      });
    }, 120_000);

    test('libvirtd killed between the two calls: the agent puts the period back when it is there again', async () => {
      const host = await bench.startInProcess();
      const ask = await prepare(host);
      const first = firstCall();
      const asked = ask();
      await first;
      await bench.relay.intercept(procedures.setMemoryStatsPeriod, async (): Promise<Fate> => {
        await bench.lab.hypervisor.killDaemon();
        return 'drop';
      });
      expect(codeOf(await asked)).not.toBe('ok');
      await bench.lab.hypervisor.startDaemon();
      await bench.backAgain(host);
      await becomes(seconds);
      expect((await bench.observe(host)).layout?.modules).toMatchObject([{ state: 'Plugged', mark: null }]);
    }, 120_000);

    test('libvirtd killed when QEMU had the 0 and it had not written that down: the guest is asked again all the same', async () => {
      const host = await bench.startInProcess();
      const ask = await prepare(host);
      const balloon = async (request: object): Promise<unknown> =>
        (
          JSON.parse(await virsh(['qemu-monitor-command', bench.guest.uuid, JSON.stringify(request)])) as {
            readonly return: unknown;
          }
        ).return;
      const polling = { path: '/machine/peripheral/balloon0', property: 'guest-stats-polling-interval' };
      const asked = ask();
      await bench.relay.intercept(procedures.setMemoryStatsPeriod, async (): Promise<Fate> => {
        await balloon({ execute: 'qom-set', arguments: { ...polling, value: 0 } });
        expect([await stands(), await balloon({ execute: 'qom-get', arguments: polling })]).toEqual([seconds, 0]);
        await bench.lab.hypervisor.killDaemon();
        return 'drop';
      });
      expect(codeOf(await asked)).not.toBe('ok');
      await bench.lab.hypervisor.startDaemon();
      await bench.backAgain(host);
      await waitFor(async () => (await balloon({ execute: 'qom-get', arguments: polling })) === seconds, {
        ...{ what: 'QEMU to ask the guest again', timeoutMs: 20_000 },
      });
    }, 120_000);

    test('the answer to the second call is lost: the period stands all the same', async () => {
      const host = await bench.startInProcess();
      const ask = await prepare(host);
      const first = firstCall();
      const asked = ask();
      await first;
      await bench.relay.intercept(procedures.setMemoryStatsPeriod, () => 'mute');
      await becomes(seconds);
      bench.relay.disconnect();
      expect(codeOf(await asked)).not.toBe('ok');
      await bench.backAgain(host);
      await becomes(seconds);
    }, 120_000);

    test('an admin sets another period in the middle of a question: that stands', async () => {
      const host = await bench.startInProcess();
      const ask = await prepare(host);
      const first = firstCall();
      const asked = ask();
      await first;
      await bench.relay.intercept(procedures.getXmlDesc, async (): Promise<Fate> => {
        await setPeriod(5);
        return 'forward';
      });
      expect(codeOf(await asked)).toBe('guest-memory-in-use');
      expect([await stands(), await isRecorded()]).toEqual([5, false]);
    });
  },
  ['hypervisor'],
);
