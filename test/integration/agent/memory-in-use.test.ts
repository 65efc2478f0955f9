/** Memory that a guest uses, in every way that it can be used: what doesn't fit elsewhere isn't asked for. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MiB, mib } from '../../../src/memory/bytes.ts';
import { codeOf, valueOf } from '../../contract/bench.ts';
import type { MemoryUse, TmpfsUse } from '../../lab/guest-types.ts';
import { waitFor } from '../../lab/wait.ts';
import { describeAgent } from './agent-bench.ts';

/** As large as the guest's boot memory. */
const size = mib(512);
/** What the guest must keep, in every request here. */
const margin = { minUsableAfter: mib(64) };

await describeAgent('memory in use', { size }, (bench) => {
  const { observe, plug, reports, unplug, until } = bench;
  let use: MemoryUse | TmpfsUse | null = null;

  beforeEach(async () => {
    await reports();
    valueOf(await plug(0));
    await waitFor(async () => (await bench.guest.memTotalKiB()) > bench.baseKib + 500 * 1024, {
      ...{ what: 'the guest to take the module up', timeoutMs: 20_000 },
    });
  });
  // Before the guest is cleared, which asks for the module without looking.
  afterEach(() => free());

  const ask = () => unplug(0, margin);
  /** Waits until the guest has said what it can spare from now on: it reports every 2 s, in whole seconds. */
  const usable = (what: string, holds: (bytes: number) => boolean) => {
    const afterMs = Date.now() + 1_000;
    return until(
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
    ['a file in tmpfs', () => bench.guest.useTmpfs(700)],
    ['memory of a process', () => bench.guest.useMemory(600)],
    ['locked memory of a process', () => bench.guest.useMemory(600, { locked: true })],
  ] as const)(
    '%s that does not fit elsewhere: the guest is not asked, and nothing in it dies',
    async (_what, begin) => {
      use = await begin();
      await usable('the use is reported', (bytes) => bytes < size);
      const totalKib = await bench.guest.memTotalKiB();
      expect(codeOf(await ask())).toBe('guest-memory-in-use');
      expect((await observe()).layout?.modules).toMatchObject([{ slot: 0, state: 'Plugged', mark: null }]);
      expect(await bench.guest.memTotalKiB()).toBe(totalKib);
      expect(await bench.guest.oomKills()).toBe(0);
      expect('isAlive' in use ? await use.isAlive() : await use.isWhole()).toBe(true);

      await free();
      await usable('the memory is free again', (bytes) => bytes > size + 100 * MiB);
      valueOf(await ask());
      await until('the module leaves', ({ layout }) => layout?.modules.length === 0);
    },
  );

  test.each([
    ['a file in tmpfs', () => bench.guest.useTmpfs(200)],
    ['locked memory of a process', () => bench.guest.useMemory(200, { locked: true })],
  ] as const)('%s that fits elsewhere: the module leaves, and what was in it has moved', async (_what, begin) => {
    use = await begin();
    await usable('the use is reported', (bytes) => bytes < 820 * MiB);
    valueOf(await ask());
    await until('the module leaves', ({ layout }) => layout?.modules.length === 0, 60_000);
    expect(await bench.guest.memTotalKiB()).toBe(bench.baseKib);
    expect(await bench.guest.oomKills()).toBe(0);
    expect('isAlive' in use ? await use.isAlive() : await use.isWhole()).toBe(true);
  });
});
