import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe } from 'vitest';
import { MiB } from '../../../src/memory/bytes.ts';
import { type ContractBench, observedUntil, valueOf } from '../../contract/bench.ts';
import { describeHostContract } from '../../contract/host-contract.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { type AgentFixture, type AgentPki, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { setOwner } from '../../lab/owner.ts';
import { run } from '../../lab/run.ts';
import { clearGuest } from './clear-guest.ts';

await describeLab(
  'agent on libvirt, through HTTPS',
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let off: LabGuest;
    let pki: AgentPki;
    let agent: AgentFixture;

    beforeAll(async () => {
      lab = await startLab({
        guests: [
          // A guest that can be told to refuse and to be silent as well.
          { kind: 'accepting', kernelArgs: ['page_alloc.shuffle=1', 'init_on_alloc=0'] },
          { kind: 'accepting', name: 'off', leaveOff: true },
        ],
      });
      [guest, off] = lab.guests as [LabGuest, LabGuest];
      pki = await createAgentPki(lab.hypervisor.directory);
      agent = await startAgentFixture(lab.hypervisor.uri, pki);
    });

    afterAll(async () => {
      await agent.stop();
      await lab.stop();
    });

    async function createBench(): Promise<ContractBench> {
      const uses: { isAlive(): Promise<boolean>; free(): Promise<void> }[] = [];
      const bench = {
        host: agent.client,
        uuid: guest.uuid,
        stoppedUuid: off.uuid,
        async setUnplugBehaviour(behaviour: 'accept' | 'refuse' | 'silent') {
          await guest.refuse(behaviour === 'refuse');
          if (behaviour === 'silent') await guest.pin();
        },
        async beforeUnplug() {
          if ((await guest.sh('test -e /tmp/pin.pid')).code === 0) await guest.waitPinned();
        },
        letGo: () => guest.letGo(),
        async useMemory(size: number) {
          const use = await guest.useMemory(Math.floor(size / MiB));
          uses.push(use);
          return use;
        },
        async setPaused(paused: boolean) {
          await lab.hypervisor.virshOk([paused ? 'suspend' : 'resume', guest.uuid]);
        },
        async plugByHand(_slot: number, size: number) {
          await guest.plugDimm(size / MiB, 'ua-by-hand');
        },
        async setOnlines(onlines: boolean) {
          const how = onlines ? 'online_movable' : 'offline';
          await guest.shOk(`echo ${how} >/sys/devices/system/memory/auto_online_blocks`);
        },
        async setShort(isShort: boolean) {
          const pid = lab.hypervisor.qemuPid(guest.uuid);
          // Room for what QEMU itself allocates, and for no module.
          const kib = Number(/^VmSize:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
          const limit = isShort ? String((kib + 64 * 1024) * 1024) : 'unlimited';
          await run('prlimit', ['--pid', String(pid), `--as=${limit}:`]);
        },
        setOwner: (namespace: string | null) => setOwner(lab.hypervisor, guest.uuid, namespace),
        async dispose() {
          await setOwner(lab.hypervisor, guest.uuid, null);
          await bench.setOnlines(true);
          for (const use of uses) if (await use.isAlive()) await use.free();
          await clearGuest(lab.hypervisor, guest);
        },
      };
      await observedUntil(bench, 'the guest is up', ({ booting, layout }) => !booting && layout?.modules.length === 0);
      valueOf(await bench.host.observe(bench.uuid));
      return bench;
    }

    describe('every host', () => describeHostContract('agent', createBench));
  },
  ['hypervisor'],
);
