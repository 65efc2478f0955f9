/** How the page looks, in every state that a person meets: each golden was looked at. `--update` makes new ones. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventsAnswer } from '../../../src/console/wire.ts';
import { type LabBrowser, startBrowser } from '../../lab/browser.ts';
import { describeLab } from '../../lab/describe.ts';
import { busy, crowd, hosts, inUse, many, replaceable, settled, stuck } from '../../support/console/scenes.ts';
import { compareImages } from '../../support/console/compare-images.ts';
import { judgeLooks, mostDiffering, picture } from './goldens.ts';
import { visit, type Visit, type VisitOptions } from './page-driver.ts';

/** All ages are counted from here, and the page's clock stands here. */
const clockAt = Date.parse('2026-11-30T08:00:00Z');
const machines = [
  ...[settled, inUse, stuck, many, replaceable].map((scene) => scene(clockAt)),
  ...[busy(clockAt), ...crowd(12, clockAt)],
];
const events: EventsAnswer['items'] = [
  {
    type: 'Normal',
    reason: 'Converged',
    message: 'resized from 4Gi to 6Gi',
    count: 1,
    lastSeen: '2026-11-30T06:00:00Z',
  },
  {
    ...{ type: 'Warning' as const, reason: 'GuestRefused', message: 'the guest refused ua-dimmer-4 (2Gi, slot 4)' },
    ...{ count: 3, lastSeen: '2026-11-30T07:00:00Z' },
  },
];

const db = '#/vms/default/db-1';
const press = async (page: Page, key: string): Promise<void> => {
  await page.getByRole('slider').focus();
  await page.keyboard.press(key);
};
const wait = async (page: Page, text: string): Promise<void> => page.getByText(text).first().waitFor();

type State = {
  readonly name: string;
  readonly hash: string;
  readonly shown: string;
  /** Nothing of its own is dark in it. */
  readonly lightOnly?: true;
  readonly act?: (visit: Visit) => Promise<void>;
};

/** In this order: what an act leaves behind, the next one's hash takes away. */
const states: readonly State[] = [
  { name: 'list', hash: '#/', shown: '.row' },
  { name: 'list-none-like-that', lightOnly: true, hash: '#/?q=nothing-is-called-so', shown: '.empty' },
  { name: 'vm-ready', hash: db, shown: '[role=slider]' },
  { name: 'vm-would-grow', hash: db, shown: '[role=slider]', act: ({ page }) => press(page, 'PageUp') },
  { name: 'vm-would-shrink', hash: db, shown: '[role=slider]', act: ({ page }) => press(page, 'Home') },
  { name: 'vm-refused-and-leaving', hash: '#/vms/analytics/etl-worker-7', shown: '.slot-refused' },
  { name: 'vm-memory-in-use', lightOnly: true, hash: '#/vms/default/cache-3', shown: '.slider-floor' },
  { name: 'vm-stalled', hash: '#/vms/ci/build-runner', shown: '.alert.tone-danger' },
  {
    ...{ name: 'vm-replace', lightOnly: true as const, hash: '#/vms/default/web-legacy', shown: '[role=slider]' },
    act: ({ page }) => press(page, 'ArrowDown'),
  },
  {
    ...{ name: 'vm-offers', hash: db, shown: '[role=slider]' },
    act: async ({ page }) => {
      await page.getByLabel('Memory', { exact: true }).fill('5.3Gi');
      await wait(page, '5376Mi with Replace');
    },
  },
  {
    ...{ name: 'vm-with-replace', lightOnly: true as const, hash: db, shown: '[role=slider]' },
    act: async ({ page }) => {
      await page.getByRole('radio', { name: 'Replace' }).click();
      for (const key of ['ArrowDown', 'ArrowDown']) await press(page, key);
      await wait(page, 'Plug in 1 module, then take out 1, with Replace');
    },
  },
  { name: 'vm-256-slots', hash: '#/vms/sap/hana-prod', shown: '.board-dense', act: ({ page }) => press(page, 'Home') },
  { name: 'vm-history', lightOnly: true, hash: `${db}/history`, shown: '.timeline' },
  { name: 'vm-gone', lightOnly: true, hash: '#/vms/default/gone', shown: '.empty' },
  { name: 'hosts', hash: '#/hosts', shown: '.shelf' },
  {
    ...{ name: 'vm-changed-meanwhile', hash: db, shown: '[role=slider]' },
    act: async ({ page, console }) => {
      await press(page, 'PageUp');
      await page.getByRole('button', { name: 'Plug in 2 modules' }).waitFor();
      const { spec, metadata } = console.get('default/db-1');
      Object.assign(spec, { memory: '8Gi' });
      Object.assign(metadata, { resourceVersion: '99999' });
      await page.getByRole('button', { name: 'Plug in 2 modules' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
];

await describeLab(
  'how the page looks',
  () => {
    let lab: LabBrowser;
    let desk: Page;
    /** Known once a test runs. */
    const isUpdate = (): boolean => expect.getState().snapshotState.snapshotUpdateState === 'all';
    beforeAll(async () => {
      lab = await startBrowser();
      desk = await lab.browser.newPage();
    });
    afterAll(() => lab.close());

    const at = async (options: VisitOptions, look: (visit: Visit) => Promise<void>): Promise<void> => {
      const visited = await visit(lab.browser, {
        ...{ machines: structuredClone(machines), hosts: hosts(), events },
        ...{ clockAt, width: 1100, height: 940 },
        ...options,
      });
      try {
        await dress(visited.page);
        await look(visited);
        expect(visited.complaints).toEqual([]);
      } finally {
        await visited.close();
      }
    };
    const looks = async (page: Page, name: string, found: (string | null)[], lightOnly = false): Promise<void> => {
      for (const colorScheme of lightOnly ? (['light'] as const) : (['light', 'dark'] as const)) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        found.push(await judgeLooks(page, desk, `${name}-${colorScheme}`, isUpdate()));
      }
    };
    const nothing = (found: readonly (string | null)[]): void =>
      expect(found.filter((one) => one !== null)).toEqual([]);

    test('each state looks like its golden, light and dark', async () => {
      const found: (string | null)[] = [];
      await at({}, async (visited) => {
        for (const { name, hash, shown, lightOnly, act } of states) {
          await go(visited.page, hash, shown);
          await act?.(visited);
          await looks(visited.page, name, found, lightOnly);
        }
      });
      nothing(found);
    });

    test('so it does where nothing is there, is known, or may be seen', async () => {
      const found: (string | null)[] = [];
      await at({ height: 620 }, async ({ page, console }) => {
        console.send({ event: 'connection', data: { state: 'lost', message: 'the API server does not answer' } });
        await wait(page, 'The connection is lost');
        await looks(page, 'lost', found);
        console.send({ event: 'connection', data: { state: 'live', message: '' } });
        console.send({ event: 'hosts', data: { items: null } });
        await go(page, '#/hosts', '.empty');
        await looks(page, 'hosts-not-seen', found, true);
        const problems = ['a.yaml: line 7: spec.memory: there is no such size'];
        console.send({ event: 'trouble', data: { problems, note: 'no standalone runs: this is what was last known' } });
        console.send({ event: 'resources', data: { items: [] } });
        await go(page, '#/', '.empty');
        await looks(page, 'no-vms-and-trouble', found);
        console.send({ event: 'connection', data: { state: 'forbidden', message: 'it is forbidden' } });
        await wait(page, 'You may not look at any VM here');
        await looks(page, 'forbidden', found, true);
        await page.goto(`${console.origin}/#code=none`);
        await wait(page, 'The console says');
        await looks(page, 'no-session', found, true);
      });
      nothing(found);
    });

    test('on a phone, too', async () => {
      const found: (string | null)[] = [];
      await at({ width: 400, height: 860 }, async ({ page }) => {
        await go(page, '#/', '.row');
        await looks(page, 'narrow-list', found);
        await go(page, '#/vms/analytics/etl-worker-7', '.slot-refused');
        await looks(page, 'narrow-vm', found);
      });
      nothing(found);
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

async function go(page: Page, hash: string, shown: string): Promise<void> {
  // Whatever was chosen or opened there before is over.
  await page.evaluate("location.hash = '#/hosts'");
  await page.getByRole('heading', { level: 1, name: 'Hosts' }).waitFor();
  await page.evaluate(`location.hash = '${hash}'`);
  await page.locator(shown).first().waitFor();
  await page.evaluate('(document.activeElement?.blur(), scrollTo(0, 0))');
}
