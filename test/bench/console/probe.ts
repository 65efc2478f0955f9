/** What is measured inside the page, by the browser's own clock. */
import type { CDPSession, Page } from 'playwright-core';

/** Runs before anything of the page, through the debugger: the page's policy lets no script in. */
export const probe = `(() => {
  const seen = (globalThis.dimmerBench = { usableAt: null, longTasks: [], frames: [] });
  new PerformanceObserver((list) => seen.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
    type: 'longtask',
    buffered: true,
  });
  const untilUsable = () => {
    if (document.querySelector('.row') === null) requestAnimationFrame(untilUsable);
    // The frame with the rows in it has been drawn when the next one begins.
    else requestAnimationFrame((atMs) => (seen.usableAt = atMs));
  };
  requestAnimationFrame(untilUsable);
  let last = null;
  const onFrame = (atMs) => {
    if (last !== null) seen.frames.push(atMs - last);
    last = atMs;
    requestAnimationFrame(onFrame);
  };
  requestAnimationFrame(onFrame);
})()`;

/** From the first byte of the server's answer to the drawn list, ms. */
export const usableMs = (page: Page): Promise<number> =>
  page.evaluate<number>(`new Promise((resolve) => {
    const [{ responseStart }] = performance.getEntriesByType('navigation');
    const look = () => {
      if (dimmerBench.usableAt === null) setTimeout(look, 50);
      else resolve(dimmerBench.usableAt - responseStart);
    };
    look();
  })`);

/** What the page did while something was done to it. */
export type Work = {
  /** Tasks of more than 50 ms, which is what the browser calls long, ms. */
  readonly longTasks: readonly number[];
  /** From one frame to the next, ms. */
  readonly frames: readonly number[];
  /** Of the page's own thread, ms. */
  readonly busy: { readonly script: number; readonly style: number; readonly layout: number; readonly all: number };
};

/** Does something to the page, and says what it did then. */
export async function watchWork(page: Page, act: () => Promise<void>): Promise<Work> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const before = await busyOf(session);
  await page.evaluate('(dimmerBench.longTasks.length = 0), (dimmerBench.frames.length = 0), undefined');
  await act();
  const seen = await page.evaluate<{ longTasks: readonly number[]; frames: readonly number[] }>(
    // Long tasks are told a moment later.
    'new Promise((resolve) => setTimeout(() => resolve({ longTasks: dimmerBench.longTasks, frames: dimmerBench.frames }), 100))',
  );
  const after = await busyOf(session);
  await session.detach();
  const { script, style, layout, all } = after;
  return {
    ...seen,
    busy: {
      script: script - before.script,
      style: style - before.style,
      layout: layout - before.layout,
      all: all - before.all,
    },
  };
}

async function busyOf(session: CDPSession): Promise<Work['busy']> {
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (name: string): number => (metrics.find((metric) => metric.name === name)?.value ?? NaN) * 1000;
  return {
    script: of('ScriptDuration'),
    style: of('RecalcStyleDuration'),
    layout: of('LayoutDuration'),
    all: of('TaskDuration'),
  };
}
