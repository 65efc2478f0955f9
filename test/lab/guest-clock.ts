import type { ClockWatch, LabGuest } from './guest-types.ts';
import { waitFor } from './wait.ts';

/** See {@link LabGuest.watchClock}. The guest may answer the end of it as late as it stands still. */
export async function watchClock(shOk: LabGuest['shOk']): Promise<() => Promise<ClockWatch>> {
  const pid = Number(await shOk(`sh -c 'exec labtool watch >/tmp/watch.$$ 2>&1' & echo $!`));
  await waitFor(async () => (await shOk(`cat /tmp/watch.${pid}`)).startsWith('watching'), {
    ...{ what: 'a process in the guest to watch the clock', timeoutMs: 20_000 },
  });
  const startMs = performance.now();
  return async () => {
    const said = await shOk(
      `kill ${pid}; until grep -q watched /tmp/watch.${pid}; do sleep 0.01; done; cat /tmp/watch.${pid}; rm /tmp/watch.${pid}`,
      120_000,
    );
    const hostMs = performance.now() - startMs;
    const [, guestMs, longestMs, stoodMs] = /watched (\d+) longest ([\d.]+) stood ([\d.]+)/.exec(said) ?? [];
    if (guestMs === undefined) throw new Error(`the process that watched the guest's clock said: ${said}`);
    return { guestMs: Number(guestMs), hostMs, longestMs: Number(longestMs), stoodMs: Number(stoodMs) };
  };
}
