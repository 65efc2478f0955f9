/** What matters most at the page, each in the other way than page.test.ts goes: by mouse where that one takes keys, and by keys. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { paths } from '../../../src/console/wire.ts';
import { type LabBrowser, startBrowser } from '../../lab/browser.ts';
import { describeLab } from '../../lab/describe.ts';
import { waitFor } from '../../lab/wait.ts';
import { refusing } from '../../support/console/machines.ts';
import { hosts, settled } from '../../support/console/scenes.ts';
import { visit, type Visit, type VisitOptions } from './page-driver.ts';

const hash = '#/vms/default/db-1';

/** Takes the thumb to a share of the scale. */
async function drag(page: Page, share: number): Promise<void> {
  const track = await page.locator('.slider-track').boundingBox();
  const knob = await page.getByRole('slider').boundingBox();
  if (track === null || knob === null) throw new Error('no slider');
  await page.mouse.move(knob.x + knob.width / 2, knob.y + knob.height / 2);
  await page.mouse.down();
  await page.mouse.move(track.x + track.width * share, knob.y + 5, { steps: 6 });
  await page.mouse.up();
}
/** Where a total stands: from 2 GiB of boot memory to 16 GiB. */
const shareOf = (gib: number): number => (gib - 2) / 14;

/** Waits for the thumb to stand there. */
const stands = (thumb: Visit['thumb'], where: RegExp): Promise<boolean> =>
  waitFor(async () => where.test(await thumb()), { what: String(where), timeoutMs: 20_000, details: thumb });

const focused = (page: Page): Promise<string> => page.evaluate<string>("document.activeElement?.textContent ?? ''");
/** Goes on by Tab to what says `text`, and presses Enter. */
async function tabTo(page: Page, text: RegExp): Promise<void> {
  const met: string[] = [];
  for (let tabs = 0; tabs < 12 && !text.test(met.at(-1) ?? ''); tabs += 1) {
    await page.keyboard.press('Tab');
    met.push(await focused(page));
  }
  expect(met.at(-1)).toMatch(text);
  await page.keyboard.press('Enter');
}

await describeLab(
  "the console's page, the other way",
  () => {
    let lab: LabBrowser;
    beforeAll(async () => {
      lab = await startBrowser();
    });
    afterAll(() => lab.close());

    const at = async (options: VisitOptions, act: (visit: Visit) => Promise<void>): Promise<void> => {
      const visited = await visit(lab.browser, { hash, machines: [settled()], hosts: hosts(), ...options });
      try {
        await visited.page.getByRole('slider').waitFor();
        await act(visited);
        expect(visited.complaints).toEqual([]);
      } finally {
        await visited.close();
      }
    };
    const sizes = ({ bodies }: Visit): readonly unknown[] =>
      bodies(paths.memory).map(({ memory, dryRun }) => [memory, dryRun]);

    test('by mouse: a VM grows, and is followed until it is ready', () =>
      at({}, async (visited) => {
        const { page, thumb } = visited;
        await drag(page, shareOf(7));
        await stands(thumb, /^7Gi: plug 768Mi \+ 256Mi to go from 6Gi to 7Gi$/);
        await page.getByRole('button', { name: 'Plug in 2 modules' }).click();
        await page.getByText('The guest has 7Gi, as wanted.').first().waitFor();
        expect(sizes(visited)).toEqual([
          ['7Gi', true],
          ['7Gi', false],
        ]);
      }));

    test('by keyboard: an exact set is taken out, shown before in its order', () =>
      at({}, async (visited) => {
        const { page, thumb } = visited;
        await page.getByRole('slider').focus();
        for (let steps = 0; steps < 24 && !(await thumb()).startsWith('4608Mi: '); steps += 1)
          await page.keyboard.press('ArrowLeft');
        expect(await thumb()).toBe('4608Mi: unplug 1Gi (slot 3) + 512Mi (slot 2) to go from 6Gi to 4608Mi');
        expect(await page.locator('.slot-goes .step').allTextContents()).toEqual(['−2', '−1']);
        await tabTo(page, /^Take out 2 modules$/);
        await page.getByText('The guest has 4608Mi, as wanted.').first().waitFor();
        expect(sizes(visited)).toEqual([
          ['4608Mi', true],
          ['4608Mi', false],
        ]);
      }));

    test("by mouse: where no size can be had the thumb doesn't stand, nor do the buttons lead there", () =>
      at({}, async ({ page, thumb }) => {
        // Below what the guest uses, and between two sums of modules.
        await drag(page, 0);
        await stands(thumb, /^3456Mi: /);
        const smaller = page.getByRole('button', { name: 'Next smaller size' });
        expect(await smaller.isDisabled()).toBe(true);
        await drag(page, shareOf(4.53));
        await stands(thumb, /^4608Mi: /);
        await page.getByRole('button', { name: 'Next larger size' }).click();
        await stands(thumb, /^4736Mi: /);
        await smaller.click();
        await stands(thumb, /^4608Mi: /);
      }));

    test('by keyboard: a guest that refuses is told, and asked again', () =>
      at({ carryOut: refusing }, async ({ page, bodies }) => {
        await page.getByRole('slider').focus();
        await page.keyboard.press('Home');
        await tabTo(page, /^Take out/);
        await page.getByText('The guest refused ua-dimmer-4 (2Gi, slot 4).').waitFor();
        await page.getByRole('button', { name: 'Try again now' }).focus();
        await page.keyboard.press('Enter');
        await page.getByText('It is tried again now.').waitFor();
        expect(bodies(paths.annotation).some(({ what }) => what === 'retry')).toBe(true);
      }));

    test('by mouse: of two who edit at once the second sees both sizes, and sets theirs all the same', () =>
      at({}, async (visited) => {
        const { page, console } = visited;
        await drag(page, shareOf(7));
        const button = page.getByRole('button', { name: 'Plug in 2 modules' });
        await button.waitFor();
        const { spec, metadata } = console.get('default/db-1');
        Object.assign(spec, { memory: '8Gi' });
        Object.assign(metadata, { resourceVersion: '99999' });
        await button.click();
        const dialog = page.getByRole('dialog', { name: 'Somebody has changed it meanwhile' });
        await dialog.waitFor();
        expect(await dialog.locator('dd').allTextContents()).toEqual(['8Gi', '7Gi']);
        await dialog.getByRole('button', { name: 'Set 7Gi all the same' }).click();
        await waitFor(() => console.get('default/db-1').spec.memory === '7Gi', {
          ...{ what: 'the size that was chosen', timeoutMs: 20_000 },
          details: () => JSON.stringify(sizes(visited)),
        });
      }));
  },
  ['browser'],
);
