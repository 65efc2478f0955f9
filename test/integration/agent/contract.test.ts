import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, vi } from 'vitest';
import { GiB, bytes, MiB } from '../../../src/memory/bytes.ts';
import { type ContractBench, observedUntil, valueOf } from '../../contract/bench.ts';
import { describeHostContract } from '../../contract/host-contract.ts';
import { setOwner } from '../../lab/owner.ts';
import { run } from '../../lab/run.ts';
import { describeAgent } from './agent-bench.ts';

/** A guest that can be told to refuse and to be silent as well. */
const obedient = { kind: 'accepting', kernelArgs: ['page_alloc.shuffle=1'] } as const;
/** Tests that run side by side, each with a guest of its own. */
const names = ['one', 'two'];
vi.setConfig({ maxConcurrency: names.length });

await describeAgent(
  'agent on libvirt, through HTTPS',
  {
    guests: [...names.map((name) => ({ ...obedient, name })), { kind: 'accepting', name: 'off', leaveOff: true }],
    // The contract's own bench does that.
    uncleared: true,
  },
  (bench) => {
    const free = [...names];

    async function createBench(): Promise<ContractBench> {
      const name = free.pop();
      if (name === undefined) throw new Error('more tests side by side than guests');
      const { guest, clear } = bench.named(name);
      let definition = '';
      const uses: { isAlive(): Promise<boolean>; free(): Promise<void> }[] = [];
      const contract = {
        host: bench.client,
        uuid: guest.uuid,
        stoppedUuid: bench.named('off').guest.uuid,
        othersMayFree: bytes(GiB),
        async setUnplugBehaviour(behaviour: 'accept' | 'refuse' | 'silent') {
          await guest.refuse(behaviour === 'refuse');
          if (behaviour === 'silent') await guest.pin();
        },
        async beforeUnplug() {
          if ((await guest.quick('test -e /tmp/pin.pid')).code === 0) await guest.waitPinned();
        },
        letGo: () => guest.letGo(),
        async useMemory(size: number) {
          const use = await guest.useMemory(Math.floor(size / MiB));
          uses.push(use);
          return use;
        },
        async setPaused(paused: boolean) {
          await bench.lab.hypervisor.virshOk([paused ? 'suspend' : 'resume', guest.uuid]);
        },
        async plugByHand(_slot: number, size: number) {
          await guest.plugDimm(size / MiB, 'ua-by-hand');
        },
        async storedTotal() {
          if (!(await bench.lab.hypervisor.virshOk(['list', '--persistent', '--all', '--uuid'])).includes(guest.uuid)) {
            return null;
          }
          const xml = await bench.lab.hypervisor.virshOk(['dumpxml', guest.uuid, '--inactive']);
          return Number(/<memory unit='KiB'>(\d+)<\/memory>/.exec(xml)?.[1]) * 1024;
        },
        async setTransient(isTransient: boolean) {
          const { virshOk, directory } = bench.lab.hypervisor;
          if (isTransient) {
            definition = await virshOk(['dumpxml', guest.uuid, '--inactive']);
            await virshOk(['undefine', guest.uuid]);
            return;
          }
          const file = join(directory, `${guest.name}-defined.xml`);
          writeFileSync(file, definition);
          await virshOk(['define', file]);
        },
        async setOnlines(onlines: boolean) {
          const how = onlines ? 'online_movable' : 'offline';
          await guest.shOk(`echo ${how} >/sys/devices/system/memory/auto_online_blocks`);
        },
        async setShort(isShort: boolean) {
          const pid = bench.lab.hypervisor.qemuPid(guest.uuid);
          const mapped = () => Number(/^VmSize:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
          // QEMU gives the memory of a module that has left back some time later.
          let kib = 0;
          while (isShort && kib !== mapped()) {
            kib = mapped();
            await delay(1_500);
          }
          // Room for what QEMU itself allocates, and for no module.
          const limit = isShort ? String((kib + 64 * 1024) * 1024) : 'unlimited';
          await run('prlimit', ['--pid', String(pid), `--as=${limit}:`]);
        },
        setOwner: (namespace: string | null) => setOwner(bench.lab.hypervisor, guest.uuid, namespace),
        async dispose() {
          try {
            await setOwner(bench.lab.hypervisor, guest.uuid, null);
            await contract.setOnlines(true);
            for (const use of uses) if (await use.isAlive()) await use.free();
            await clear();
          } finally {
            free.push(name);
          }
        },
      };
      await observedUntil(
        contract,
        'the guest is up',
        ({ booting, layout }) => !booting && layout?.modules.length === 0,
      );
      valueOf(await contract.host.observe(contract.uuid));
      return contract;
    }

    describe('every host', () => describeHostContract('agent', createBench));
  },
);
