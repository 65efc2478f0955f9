/** Memory that a guest uses, in every way that it can be used: what doesn't fit elsewhere isn't asked for. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { MiB, mib } from '../../../src/memory/bytes.ts';
import { codeOf, isUp, observedUntil, plugRequest, unplugRequest, valueOf } from '../../contract/bench.ts';
import { describeLab } from '../../lab/describe.ts';
import type { LabGuest, MemoryUse, TmpfsUse } from '../../lab/guest-types.ts';
import { type Lab, startLab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';
import { type AgentFixture, createAgentPki, startAgentFixture } from './agent-fixture.ts';
import { clearGuest } from './clear-guest.ts';

/** As large as the guest's boot memory. */
const size = mib(512);
/** What the guest must keep, in every request here. */
const margin = { minUsableAfter: mib(64) };

await describeLab(
  'memory in use',
  () => {
    let lab: Lab;
    let guest: LabGuest;
    let agent: AgentFixture;
    let baseKib: number;
    let use: MemoryUse | TmpfsUse | null = null;

    beforeAll(async () => {
      lab = await startLab({ guests: [{ kind: 'accepting' }] });
      guest = lab.guest('accepting');
      baseKib = await guest.memTotalKiB();
      agent = await startAgentFixture(lab.hypervisor.uri, await createAgentPki(lab.hypervisor.directory));
    });
    afterAll(async () => {
      await agent.stop();
      await lab.stop();
    });
    beforeEach(async () => {
      await observedUntil(bench(), 'the guest reports', isUp);
      const { revision } = await observe();
      valueOf(await agent.client.plug(guest.uuid, revision, plugRequest(0, size)));
      await waitFor(async () => (await guest.memTotalKiB()) > baseKib + 500 * 1024, {
        ...{ what: 'the guest to take the module up', timeoutMs: 20_000 },
      });
    });
    afterEach(async () => {
      // clearGuest asks for the module without looking.
      await free();
      await clearGuest(lab.hypervisor, guest);
    });

    const bench = () => ({ host: agent.client, uuid: guest.uuid });
    const observe = async () => valueOf(await agent.client.observe(guest.uuid));
    const ask = async () => agent.client.unplug(guest.uuid, (await observe()).revision, unplugRequest(0, margin));
    /** Waits until the guest has said what it can spare from now on: it reports every 2 s, in whole seconds. */
    const usable = (what: string, holds: (bytes: number) => boolean) => {
      const afterMs = Date.now() + 1_000;
      return observedUntil(
        bench(),
        what,
        ({ guest: report }) => report !== null && report.reportedAtMs > afterMs && holds(report.usable),
        30_000,
      );
    };
    const free = async (): Promise<void> => {
      const used = use;
      use = null;
      await used?.free();
    };

    test.each([
      ['a file in tmpfs', () => guest.useTmpfs(700)],
      ['memory of a process', () => guest.useMemory(600)],
      ['locked memory of a process', () => guest.useMemory(600, { locked: true })],
    ] as const)(
      '%s that does not fit elsewhere: the guest is not asked, and nothing in it dies',
      async (_what, begin) => {
        use = await begin();
        await usable('the use is reported', (bytes) => bytes < size);
        const totalKib = await guest.memTotalKiB();
        expect(codeOf(await ask())).toBe('guest-memory-in-use');
        expect((await observe()).layout?.modules).toMatchObject([{ slot: 0, state: 'Plugged', mark: null }]);
        expect(await guest.memTotalKiB()).toBe(totalKib);
        expect(await guest.oomKills()).toBe(0);
        expect('isAlive' in use ? await use.isAlive() : await use.isWhole()).toBe(true);

        await free();
        await usable('the memory is free again', (bytes) => bytes > size + 100 * MiB);
        valueOf(await ask());
        await observedUntil(bench(), 'the module leaves', ({ layout }) => layout?.modules.length === 0);
      },
    );

    test.each([
      ['a file in tmpfs', () => guest.useTmpfs(200)],
      ['locked memory of a process', () => guest.useMemory(200, { locked: true })],
    ] as const)('%s that fits elsewhere: the module leaves, and what was in it has moved', async (_what, begin) => {
      use = await begin();
      await usable('the use is reported', (bytes) => bytes < 820 * MiB);
      valueOf(await ask());
      await observedUntil(bench(), 'the module leaves', ({ layout }) => layout?.modules.length === 0, 60_000);
      expect(await guest.memTotalKiB()).toBe(baseKib);
      expect(await guest.oomKills()).toBe(0);
      expect('isAlive' in use ? await use.isAlive() : await use.isWhole()).toBe(true);
    });
  },
  ['hypervisor'],
);
