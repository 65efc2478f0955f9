/** How the page looks, in every state that a person meets: each golden was looked at. `--update` makes new ones. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { describeLab } from '../../lab/describe.ts';
import { compareImages } from '../../support/console/compare-images.ts';
import { judgeLooks, mostDiffering, picture } from './goldens.ts';
import { findBarriers, visitEach, type Visiting } from './page-driver.ts';
import { answers, emptyStates, go, opened, type State, states } from './states.ts';

await describeLab(
  'how the page looks',
  () => {
    const visiting = visitEach(opened);
    /** Where pictures are compared: a page that is blank. */
    let desk: Page;
    /** Known once a test runs. */
    const isUpdate = (): boolean => expect.getState().snapshotState.snapshotUpdateState === 'all';
    const at: Visiting = (options, look) =>
      visiting(options, async (visited) => {
        desk = await visited.page.context().newPage();
        await visited.page.bringToFront();
        await dress(visited.page);
        await look(visited);
      });
    /** What is wrong with how the page looks, in both themes, and with what axe finds in it. */
    const looks = async (page: Page, name: string, found: string[], lightOnly = false): Promise<void> => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        const hasPicture = colorScheme === 'light' || !lightOnly;
        const wrong = hasPicture ? await judgeLooks(page, desk, `${name}-${colorScheme}`, isUpdate()) : null;
        if (wrong !== null) found.push(wrong);
        // In the dark other colours meet, and nothing else is another; also where nothing of its own is dark.
        const barriers = await findBarriers(page, colorScheme === 'dark' ? ['color-contrast'] : []);
        found.push(...barriers.map((barrier) => `${name}, ${colorScheme}: ${barrier}`));
      }
    };

    const visitStates = async (shownStates: readonly State[]): Promise<void> => {
      const found: string[] = [];
      await at({}, async (visited) => {
        for (const { name, hash, shown, lightOnly, act, after } of shownStates) {
          await go(visited.page, hash, shown);
          await act?.(visited);
          await looks(visited.page, name, found, lightOnly);
          after?.(visited);
        }
      });
      expect(found).toEqual([]);
    };

    test('each state looks like its golden, and axe finds nothing wrong in it, light and dark', () =>
      visitStates(states));

    test('so it is with what a person is told and asked who wants another size', () => visitStates(answers));

    test('so it is where nothing is there, is known, or may be seen', async () => {
      const found: string[] = [];
      await at({ height: 620, isSilent: true }, async ({ page }) => {
        await page.locator('.loading').waitFor();
        await looks(page, 'loading', found);
      });
      await at({ height: 620 }, async (visited) => {
        for (const { name, lightOnly, act } of emptyStates) {
          await act(visited);
          await looks(visited.page, name, found, lightOnly);
        }
      });
      expect(found).toEqual([]);
    });

    test('on a phone, too', async () => {
      const found: string[] = [];
      await at({ width: 360, height: 780 }, async ({ page }) => {
        await go(page, '#/', '.row');
        await looks(page, 'narrow-list', found);
        await go(page, '#/vms/analytics/etl-worker-7', '.slot-refused');
        await looks(page, 'narrow-vm', found);
      });
      expect(found).toEqual([]);
    });

    test('a sign that is missing is seen, and a word that is another; a letter that is drawn a trace otherwise is not', () =>
      at({ hash: '#/vms/analytics/etl-worker-7', height: 620 }, async ({ page }) => {
        await page.locator('.slot-refused').first().waitFor();
        const before = await picture(page);
        const differing = async (change: string): Promise<number> => {
          await page.evaluate(`${change}, undefined`);
          return (await compareImages(desk, before, await picture(page))).differing;
        };
        expect(await differing('0')).toBe(0);
        expect(await differing("document.querySelector('h1').style.opacity = '0.97'")).toBeLessThanOrEqual(
          mostDiffering,
        );
        expect(await differing("document.querySelector('.slot-refused .sign').style.opacity = '0'")).toBeGreaterThan(
          mostDiffering,
        );
        await page.evaluate("document.querySelector('.slot-refused .sign').style.opacity = '1', undefined");
        expect(
          await differing("document.querySelector('.slot-refused .slot-size').textContent = '3Gi'"),
        ).toBeGreaterThan(mostDiffering);
      }));
  },
  ['browser'],
);

/** The lab's own font, whatever else a machine has. */
async function dress(page: Page): Promise<void> {
  for (const [name, font] of [
    ['--font', 'DejaVu Sans'],
    ['--mono', 'DejaVu Sans Mono'],
  ] as const)
    await page.evaluate(`document.documentElement.style.setProperty('${name}', "'${font}'")`);
}
