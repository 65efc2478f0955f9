/**
 * The console's page before `dimmer console`, the built program, over a state directory with 1,000 VMs (no standalone runs,
 * so nothing changes beside what is done here): how soon it is usable, and how it keeps up with whoever uses it.
 */
import type { Page } from 'playwright-core';
import { startBrowser } from '../../lab/browser.ts';
import { ensureLab } from '../../lab/ensure.ts';
import { reportToTerminal as report } from '../../lab/progress.ts';
import { startConsole } from '../../support/console/running-console.ts';
import { quantile, summaryRow } from '../summary.ts';
import { probe, usableMs, watchWork, type Work } from './probe.ts';
import { writeState } from './state.ts';

const vms = 1000;
const loads = Number(process.env['DIMMER_LOADS'] ?? 20);
const turns = 40;
/** A display shows 60 a second: a frame that is late by less than a fifth of one is in time. */
const frameMs = 1000 / 60;
const late = frameMs * 1.2;

/** Runs the benchmark and prints its figures. */
export async function runConsoleBench(): Promise<void> {
  await ensureLab(report, ['browser']);
  const state = writeState(vms);
  const served = await startConsole({ program: 'main', args: ['--state-dir', state.folder] });
  const lab = await startBrowser();
  try {
    const page = await lab.browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.addInitScript(probe);
    await page.goto(served.link);
    await benchLoads(page);
    await benchList(page);
    await benchThumb(page);
  } finally {
    await lab.close();
    await served.end();
    state.remove();
  }
}

async function benchLoads(page: Page): Promise<void> {
  report(`loading the page with ${vms} VMs ${loads} times`);
  await usableMs(page);
  const durationsMs: number[] = [];
  for (let load = 0; load < loads; load += 1) {
    await page.reload();
    durationsMs.push(await usableMs(page));
  }
  console.log(`${summaryRow(`${vms} VMs: the server's answer to usable`, durationsMs)} (aim: below 500)`);
}

async function benchList(page: Page): Promise<void> {
  report(`scrolling and filtering ${vms} VMs`);
  await page.mouse.move(640, 600);
  const scrolled = await watchWork(page, async () => {
    for (const down of [true, false])
      for (let turn = 0; turn < turns; turn += 1) await page.mouse.wheel(0, down ? 1000 : -1000);
    for (const key of ['End', 'Home', 'PageDown', 'PageDown', 'PageUp', 'End', 'Home']) await page.keyboard.press(key);
  });
  tellWork(`${vms} VMs: scrolling`, scrolled);
  const search = page.getByLabel('Search', { exact: true });
  const filtered = await watchWork(page, async () => {
    for (const text of ['vm-07', 'hv-3 converged', 'tenant']) {
      await search.pressSequentially(text);
      for (const _ of text) await search.press('Backspace');
    }
    for (const [label, choice] of [
      ['Namespace', 'ci'],
      ['Reason', 'Paused'],
      ['Reason', ''],
      ['Namespace', ''],
      ['Order', 'since'],
      ['Order', 'size'],
      ['Order', 'attention'],
    ] as const)
      await page.getByLabel(label).selectOption(choice);
  });
  tellWork(`${vms} VMs: filtering`, filtered);
}

async function benchThumb(page: Page): Promise<void> {
  report('dragging the thumb of a VM with 256 slots');
  await page.evaluate("location.hash = '#/vms/sap/hana-prod'");
  const knob = page.getByRole('slider');
  await knob.waitFor();
  const [from, track] = [await knob.boundingBox(), await page.locator('.slider-track').boundingBox()];
  if (from === null || track === null) throw new Error('there is no slider');
  const y = from.y + from.height / 2;
  await page.mouse.move(from.x + from.width / 2, y);
  await page.mouse.down();
  const places = new Set<string | null>();
  const dragged = await watchWork(page, async () => {
    for (const [start, end] of [
      [0.5, 0.1],
      [0.1, 0.9],
      [0.9, 0.3],
    ] as const) {
      await page.mouse.move(track.x + track.width * start, y);
      await page.mouse.move(track.x + track.width * end, y, { steps: 120 });
      places.add(await knob.getAttribute('aria-valuenow'));
    }
  });
  await page.mouse.up();
  if (places.size < 3) throw new Error(`the thumb did not follow: it stood at ${[...places].join(', ')}`);
  tellWork('256 slots: dragging the thumb', dragged);
}

/** The long tasks, the frames, and what of a frame the page needs. */
function tellWork(what: string, { longTasks, frames, busy }: Work): void {
  const longest = longTasks.length === 0 ? 'none' : `${longTasks.length}, the longest ${Math.max(...longTasks)} ms`;
  console.log(`${summaryRow(`${what}, frame to frame`, frames)} (aim: 60 a second)`);
  const inTime = frames.filter((frame) => frame < late).length / frames.length;
  const perFrame = (ms: number): string => (ms / frames.length).toFixed(2);
  console.log(
    `  in time ${(inTime * 100).toFixed(1)} %, 95 % within ${quantile(frames, 0.95).toFixed(1)} ms; ` +
      `tasks above 50 ms: ${longest} (aim: none above 100)`,
  );
  console.log(
    `  of each frame ${perFrame(busy.all)} ms are work: ${perFrame(busy.script)} script, ` +
      `${perFrame(busy.style)} style, ${perFrame(busy.layout)} layout`,
  );
}
