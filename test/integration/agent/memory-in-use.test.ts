/** Memory that a guest uses, in every way that it can be used: what doesn't fit elsewhere isn't asked for. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MiB, mib } from '../../../src/memory/bytes.ts';
import { codeOf, valueOf } from '../../contract/bench.ts';
import { beside } from '../../lab/beside.ts';
import type { LabGuest, MemoryUse, TmpfsUse } from '../../lab/guest-types.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';

/** As large as the guest's boot memory. */
const size = mib(512);
/** What the guest must keep, in every request here. */
const margin = { minUsableAfter: mib(64) };

await describeAgent(
  'memory in use',
  {
    guests: ['full', 'roomy'].map((name) => ({ kind: 'accepting', name })),
    size,
    // Each group its own.
    uncleared: true,
  },
  (bench) => {
    /** A guest with a module that it has taken up. */
    const grown = (name: string) => {
      const it = bench.named(name);
      let used: MemoryUse | TmpfsUse | null = null;
      const free = async (): Promise<void> => {
        const use = used;
        used = null;
        await use?.free();
      };
      beforeEach(async () => {
        await it.reports();
        valueOf(await it.plug(0));
        await waitFor(async () => (await it.guest.memTotalKiB()) > bench.baseKib + 500 * 1024, {
          ...{ what: 'the guest to take the module up', timeoutMs: 20_000 },
        });
      });
      afterEach(async () => {
        // Before the guest is cleared, which asks for the module without looking.
        await free();
        await it.clear();
      });
      return {
        ...{ it, free },
        ask: () => it.unplug(0, margin),
        /** Waits until the guest has said what it can spare from now on: it reports every 2 s, in whole seconds. */
        usable: (what: string, holds: (bytes: number) => boolean) => {
          const afterMs = Date.now() + 1_000;
          return it.until(
            what,
            ({ guest: report }) => report !== null && report.reportedAtMs > afterMs && holds(report.usable),
            30_000,
          );
        },
        /** What is freed after the test. */
        using: async (begin: (guest: LabGuest) => Promise<MemoryUse | TmpfsUse>) => {
          const use = await begin(it.guest);
          used = use;
          return use;
        },
      };
    };

    beside('that does not fit elsewhere', () => {
      const { it, free, ask, usable, using } = grown('full');

      test.each([
        ['a file in tmpfs', (guest: LabGuest) => guest.useTmpfs(700)],
        ['memory of a process', (guest: LabGuest) => guest.useMemory(600)],
        ['locked memory of a process', (guest: LabGuest) => guest.useMemory(600, { locked: true })],
      ] as const)(
        '%s that does not fit elsewhere: the guest is not asked, and nothing in it dies',
        async (_what, begin) => {
          const use = await using(begin);
          await usable('the use is reported', (bytes) => bytes < size);
          const totalKib = await it.guest.memTotalKiB();
          expect(codeOf(await ask())).toBe('guest-memory-in-use');
          expect((await it.observe()).layout?.modules).toMatchObject([{ slot: 0, state: 'Plugged', mark: null }]);
          expect(await it.guest.memTotalKiB()).toBe(totalKib);
          expect(await it.guest.oomKills()).toBe(0);
          expect('isAlive' in use ? await use.isAlive() : await use.isWhole()).toBe(true);

          await free();
          await usable('the memory is free again', (bytes) => bytes > size + 100 * MiB);
          valueOf(await ask());
          await it.until('the module leaves', ({ layout }) => layout?.modules.length === 0);
        },
      );
    });

    beside('that fits elsewhere', () => {
      const { it, ask, usable, using } = grown('roomy');

      test.each([
        ['a file in tmpfs', (guest: LabGuest) => guest.useTmpfs(200)],
        ['locked memory of a process', (guest: LabGuest) => guest.useMemory(200, { locked: true })],
      ] as const)('%s that fits elsewhere: the module leaves, and what was in it has moved', async (_what, begin) => {
        const use = await using(begin);
        await usable('the use is reported', (bytes) => bytes < 820 * MiB);
        valueOf(await ask());
        await it.until('the module leaves', ({ layout }) => layout?.modules.length === 0, 60_000);
        expect(await it.guest.memTotalKiB()).toBe(bench.baseKib);
        expect(await it.guest.oomKills()).toBe(0);
        expect('isAlive' in use ? await use.isAlive() : await use.isWhole()).toBe(true);
      });
    });
  },
);
