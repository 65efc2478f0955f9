/** The console's page in a real browser, before a server that speaks the wire: by mouse and by keyboard. */
import { expect, test } from 'vitest';
import { paths } from '../../../src/console/wire.ts';
import { describeLab } from '../../lab/describe.ts';
import { waitFor } from '../../lab/wait.ts';
import { carriedOut, machine, type Raw, refusing, rewritten } from '../../support/console/machines.ts';
import { busy, crowd, hosts, settled } from '../../support/console/scenes.ts';
import { findBarriers, visitEach } from './page-driver.ts';

const db = '#/vms/default/db-1';

await describeLab(
  "the console's page",
  () => {
    const at = visitEach(() => ({ machines: [settled()], hosts: hosts() }));
    const seen = (of: () => Promise<string | null>, what: RegExp): Promise<boolean> =>
      waitFor(async () => what.test((await of()) ?? ''), {
        what: String(what),
        timeoutMs: 20_000,
        details: async () => (await of()) ?? '',
      });

    test('a person grows a VM by keyboard alone, and follows it until it is ready', () =>
      at({ hash: db }, async ({ page, thumb, bodies }) => {
        await page.getByRole('slider').focus();
        for (const key of ['PageUp', 'ArrowUp', 'ArrowDown']) await page.keyboard.press(key);
        expect(await thumb()).toBe('7Gi: plug 768Mi + 256Mi to go from 6Gi to 7Gi');
        expect(await page.locator('.slot.slot-comes').count()).toBe(2);
        const focused = (): Promise<string> => page.evaluate<string>("document.activeElement?.textContent ?? ''");
        for (let tabs = 0; tabs < 8 && (await focused()) !== 'Plug in 2 modules'; tabs += 1)
          await page.keyboard.press('Tab');
        await page.keyboard.press('Enter');
        await page.getByText('The guest has 7Gi, as wanted.').first().waitFor();
        expect(bodies(paths.memory).map(({ memory, dryRun, force }) => [memory, dryRun, force])).toEqual([
          ['7Gi', true, false],
          ['7Gi', false, false],
        ]);
        expect(await page.locator('.slot.slot-plugged').count()).toBe(7);
      }));

    test('a person takes memory out by mouse: what leaves is shown before, in its order', () =>
      at({ hash: db }, async ({ page, thumb, bodies, console }) => {
        const version = console.get('default/db-1').metadata.resourceVersion;
        const track = await page.locator('.slider-track').boundingBox();
        const knob = await page.getByRole('slider').boundingBox();
        if (track === null || knob === null) throw new Error('no slider');
        await page.mouse.move(knob.x + knob.width / 2, knob.y + knob.height / 2);
        await page.mouse.down();
        // 4700Mi is no size that modules make: 4608Mi and 4736Mi are.
        const share = (4650 / 1024 - 2) / 14;
        await page.mouse.move(track.x + track.width * share, knob.y + 5, { steps: 6 });
        await page.mouse.up();
        expect(await thumb()).toBe('4608Mi: unplug 1Gi (slot 3) + 512Mi (slot 2) to go from 6Gi to 4608Mi');
        expect(await page.locator('.slot-goes .step').allTextContents()).toEqual(['−2', '−1']);
        await page.getByRole('button', { name: 'Take out 2 modules' }).click();
        await page.getByText('The guest has 4608Mi, as wanted.').first().waitFor();
        expect(bodies(paths.memory).map(({ resourceVersion }) => resourceVersion)).toEqual([version, version]);
      }));

    test("a size that can't be had is answered with the nearest that can", () =>
      at({ hash: db }, async ({ page, thumb }) => {
        const field = page.getByLabel('Memory', { exact: true });
        await field.fill('4.55 GiB');
        await page.getByText('4608Mi is the nearest size that can be had.').waitFor();
        await field.press('Enter');
        expect(await thumb()).toMatch(/^4608Mi: /);
        await field.fill('a lot');
        await page.getByText("'a lot' is not a quantity (6Gi, 1536Mi).").waitFor();
        await field.fill('1Ti');
        await field.press('Enter');
        expect(await thumb()).toMatch(/^16Gi: /);
      }));

    test('what only another policy reaches is offered with its word, marked on the slider, and set with the policy', () =>
      at({ hash: db }, async ({ page, thumb, bodies, console }) => {
        const field = page.getByLabel('Memory', { exact: true });
        await page.getByRole('slider').waitFor();
        expect(await page.locator('.slider-tick.is-beyond[title="5376Mi with Replace"]').count()).toBe(1);
        await field.fill('5.3Gi');
        await page.getByText('5504Mi is the nearest size that can be had.').waitFor();
        const offers = page.getByRole('list', { name: 'Sizes that take another shrinkPolicy' }).getByRole('button');
        const offered = ['5376Mi with Replace', '5376Mi with Nearest: the guest keeps 5504Mi'];
        expect(await offers.allTextContents()).toEqual(offered);
        expect(await findBarriers(page)).toEqual([]);
        // Neither Enter nor the arrows take it: its word does.
        await field.press('Enter');
        expect(await thumb()).toMatch(/^5504Mi: unplug /);
        expect(await offers.allTextContents()).toEqual(offered);
        await field.press('ArrowUp');
        expect(await thumb()).toMatch(/^5632Mi: unplug /);
        expect(await offers.count()).toBe(0);
        await field.fill('5.3Gi');
        await page.getByRole('button', { name: '5376Mi with Nearest' }).click();
        expect(await thumb()).toMatch(/^5376Mi with Nearest: unplug /);
        await page.getByRole('radio', { name: 'Replace' }).click();
        await seen(thumb, /^5376Mi with Replace: plug \d+Mi, then unplug /);
        expect(bodies(paths.memory)).toEqual([]);
        await page.getByRole('button', { name: /, with Replace$/ }).click();
        await page.getByText('5376Mi with Replace is set (the fake server).').waitFor();
        expect(bodies(paths.memory).map(({ memory, shrinkPolicy }) => [memory, shrinkPolicy])).toEqual([
          ['5376Mi', 'Replace'],
          ['5376Mi', 'Replace'],
        ]);
        expect(console.get('default/db-1').spec).toMatchObject({ memory: '5376Mi', shrinkPolicy: 'Replace' });
        await page.getByRole('radio', { name: 'Exact' }).click();
        await page.getByRole('button', { name: 'Set shrinkPolicy Exact' }).click();
        await page.getByText('5376Mi with Exact is set (the fake server).').waitFor();
        expect(await page.getByRole('radio', { name: 'Exact' }).isChecked()).toBe(true);
      }));

    test('of two who edit at once whoever has chosen a policy, too, sees both', () =>
      at({ hash: db }, async ({ page, console, bodies }) => {
        await page.getByRole('slider').waitFor();
        await page.getByRole('radio', { name: 'Replace' }).click();
        await page.getByRole('button', { name: 'Set shrinkPolicy Replace' }).waitFor();
        const { spec, metadata } = console.get('default/db-1');
        Object.assign(spec, { memory: '8Gi', shrinkPolicy: 'Nearest' });
        Object.assign(metadata, { resourceVersion: '99999' });
        await page.getByRole('button', { name: 'Set shrinkPolicy Replace' }).click();
        const dialog = page.getByRole('dialog', { name: 'Somebody has changed it meanwhile' });
        await dialog.waitFor();
        expect(await dialog.locator('dd').allTextContents()).toEqual(['8Gi with Nearest', '6Gi with Replace']);
        await dialog.getByRole('button', { name: 'Set 6Gi with Replace all the same' }).click();
        await page.getByText('6Gi with Replace is set (the fake server).').waitFor();
        expect(bodies(paths.memory).at(-1)).toMatchObject({ shrinkPolicy: 'Replace', anyPlan: true });
      }));

    test('memory in use pushes the floor up, and the thumb with it', () =>
      at({ hash: db }, async ({ page, thumb, console, bodies }) => {
        await page.getByRole('slider').focus();
        await page.keyboard.press('Home');
        await seen(thumb, /^3456Mi: /);
        await waitFor(() => bodies(paths.annotation).some(({ what }) => what === 'observe'), {
          what: 'the guest to be asked anew',
          timeoutMs: 20_000,
        });
        const raw = console.get('default/db-1');
        const busier = machine({
          ...{ name: 'db-1', boot: ['2Gi'], max: '16Gi', usable: '1Gi' },
          modules: ['128Mi', '384Mi', '512Mi', '1Gi', '2Gi'].map((size, slot) => ({ slot, size })),
        });
        console.put(rewritten(raw, { status: busier.status ?? {} }));
        await seen(thumb, /^5504Mi: /);
        expect(await page.locator('.bounds-floor').textContent()).toContain('the guest would lose memory that it uses');
      }));

    test('what the guest reported long ago is hatched, and its age stands there', () =>
      at({ hash: '#/vms/analytics/etl-worker-7', machines: [busy()] }, async ({ page }) => {
        await page.locator('.slider-floor.is-old').waitFor();
        expect(await page.locator('.bounds').textContent()).toMatch(/the guest reported \d+s ago/);
      }));

    test('what is done is followed on the board as it goes, until it is ready', () => {
      const sizes = ['128Mi', '384Mi', '512Mi', '1Gi', '2Gi'];
      /** With a status that speaks of the newest spec. */
      const looked = (raw: Raw, { status = {} }: Raw): Raw => {
        const { generation } = raw.metadata;
        const conditions = status['conditions'] as readonly object[];
        const now = conditions.map((condition) => ({ ...condition, observedGeneration: generation }));
        return rewritten(raw, { status: { ...status, observedGeneration: generation, conditions: now } });
      };
      /** The guest has been asked, and takes its time. */
      const leaving = (wished: Raw): Raw => {
        const asked = machine({
          ...{ name: 'db-1', boot: ['2Gi'], max: '16Gi', usable: '3Gi', memory: '6016Mi', since: 1 },
          ready: ['False', 'Unplugging', 'waiting for the guest to give up ua-dimmer-0'],
          lastResize: { from: '6Gi', to: '6016Mi', startTime: new Date().toISOString() },
          modules: sizes.map((size, slot) =>
            slot === 0 ? { slot, size, state: 'Leaving' as const, leavingFor: 70 } : { slot, size },
          ),
        });
        return looked(wished, asked);
      };
      return at({ hash: db, carryOut: leaving }, async ({ page, console }) => {
        await page.getByRole('slider').press('ArrowLeft');
        await page.getByRole('button', { name: 'Take out 1 module' }).click();
        await page.locator('.slot.slot-leaving').waitFor();
        expect(await page.locator('.slot.slot-leaving').getAttribute('title')).toMatch(/asked to leave for 1m\d+s/);
        await page.locator('.vm-head').getByText('Unplugging').waitFor();
        await page.getByText('6Gi → 6016Mi: 6Gi now').waitFor();
        const asked = console.get('default/db-1');
        const given = machine({
          name: 'db-1',
          boot: ['2Gi'],
          modules: sizes.slice(1).map((size, slot) => ({ slot, size })),
        });
        console.put(looked(asked, given));
        await page.locator('.slot.slot-leaving').waitFor({ state: 'detached' });
        await page.locator('.vm-head').getByText('Converged').waitFor();
        expect(await page.locator('.slot.slot-plugged').count()).toBe(4);
      });
    });

    test('a guest that refuses is told with its reason and what to do', () =>
      at({ hash: db, carryOut: refusing }, async ({ page }) => {
        await page.getByRole('slider').focus();
        await page.keyboard.press('Home');
        await page.getByRole('button', { name: /^Take out/ }).click();
        await page.getByText('The guest refused ua-dimmer-4 (2Gi, slot 4).').waitFor();
        await page.getByText('What to do:').waitFor();
        expect(await page.locator('.slot.slot-refused').count()).toBe(1);
        await page.getByRole('button', { name: 'Try again now' }).click();
        await page.getByText('It is tried again now.').waitFor();
      }));

    test('of two people who edit at once the second sees both sizes, and chooses', () =>
      at({ hash: db }, async ({ page, console, bodies }) => {
        await page.getByRole('slider').focus();
        await page.keyboard.press('PageUp');
        // The stream is late: the page doesn't know yet.
        const raw = console.get('default/db-1');
        await page.getByRole('button', { name: 'Plug in 2 modules' }).waitFor();
        Object.assign(raw.spec, { memory: '8Gi' });
        Object.assign(raw.metadata, { resourceVersion: '99999' });
        await page.getByRole('button', { name: 'Plug in 2 modules' }).click();
        const dialog = page.getByRole('dialog', { name: 'Somebody has changed it meanwhile' });
        await dialog.waitFor();
        expect(await dialog.locator('dd').allTextContents()).toEqual(['8Gi', '7Gi']);
        expect(await findBarriers(page)).toEqual([]);
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
        expect(bodies(paths.memory).map(({ dryRun }) => dryRun)).toEqual([true]);
        await seen(() => page.locator('.figures').first().textContent(), /Wanted8Gi/);
      }));

    test('a size that GitOps owns is set only after a warning that says who will overwrite it', () =>
      at(
        {
          hash: db,
          writers: { 'default/db-1': [{ what: 'Flux manages it (kustomize.toolkit.fluxcd.io/name: apps)' }] },
        },
        async ({ page, bodies }) => {
          await page.getByText('Its size is set elsewhere, too: Flux manages it').waitFor();
          await page.getByRole('slider').focus();
          await page.keyboard.press('PageUp');
          await page.getByRole('button', { name: 'Plug in 2 modules' }).click();
          const dialog = page.getByRole('dialog', { name: 'Somebody else writes its size' });
          await dialog.getByText('Flux manages it').waitFor();
          expect(await findBarriers(page)).toEqual([]);
          await dialog.getByRole('button', { name: 'Set 7Gi all the same' }).click();
          await page.getByText('The guest has 7Gi, as wanted.').first().waitFor();
          expect(bodies(paths.memory).map(({ dryRun, force }) => [dryRun, force])).toEqual([
            [true, false],
            [true, true],
            [false, true],
          ]);
        },
      ));

    test('a refusal of the API server is shown in its own words, and nothing was written', () =>
      at(
        {
          hash: db,
          onMemory: () => ({
            outcome: 'refused',
            message: 'admission webhook "quota" denied the request: 7Gi is too much',
          }),
        },
        async ({ page, bodies, console }) => {
          await page.getByRole('slider').focus();
          await page.keyboard.press('PageUp');
          await page.getByRole('button', { name: 'Plug in 2 modules' }).click();
          await page.getByText('admission webhook "quota" denied the request: 7Gi is too much').waitFor();
          expect(bodies(paths.memory).map(({ dryRun }) => dryRun)).toEqual([true]);
          expect(console.get('default/db-1').spec.memory).toBe('6Gi');
        },
      ));

    test('what is shown stays when the connection is lost, says how old it is, and is live again by itself', () =>
      at({ hash: db }, async ({ page, console }) => {
        await page.getByRole('slider').waitFor();
        console.setAway(true);
        await page.getByText(/The connection is lost: all of this is as it was/).waitFor();
        await page.getByText('Nothing can be set while the connection is lost.').waitFor();
        expect(await findBarriers(page)).toEqual([]);
        console.setAway(false);
        await page.locator('.connection-live').waitFor();
        expect(await page.getByText(/The connection is lost/).count()).toBe(0);
        console.send({ event: 'connection', data: { state: 'lost', message: 'the API server does not answer' } });
        await page.getByText('The API server does not answer. It is tried again by itself.').waitFor();
      }));

    test('an agent that is gone is named, with what to do', () =>
      at(
        {
          hash: '#/vms/default/far',
          machines: [
            machine({
              name: 'far',
              memory: '2Gi',
              ready: ['False', 'HostUnreachable', 'the agent of hv-1 does not answer'],
            }),
          ],
        },
        async ({ page }) => {
          await page.getByText('The agent of hv-1 does not answer.').waitFor();
          await page.getByText('What to do:').waitFor();
        },
      ));

    test('of 1,000 VMs those are drawn that are seen; all can be scrolled to, found and reached by arrow keys', () =>
      at({ machines: crowd(1000) }, async ({ page }) => {
        await page.getByText('1000 VMs').waitFor();
        expect(await page.getByRole('row').count()).toBeLessThan(70);
        expect(await page.getByRole('table').getAttribute('aria-rowcount')).toBe('1001');
        await page.evaluate('scrollTo(0, document.body.scrollHeight)');
        await waitFor(async () => (await page.locator('[aria-rowindex="1001"]').count()) === 1, {
          what: 'the last row',
          timeoutMs: 20_000,
        });
        await page.evaluate('scrollTo(0, 0)');
        await page.getByLabel('Search', { exact: true }).fill('vm-0777');
        await page.getByText('1 of 1000 VMs').waitFor();
        await page.getByLabel('Search', { exact: true }).fill('');
        await page.getByLabel('Reason').selectOption('ClaimedByOther');
        await page.getByText('90 of 1000 VMs').waitFor();
        expect(page.url()).toContain('#/?reason=ClaimedByOther');
        await page.locator('.row a').first().focus();
        await page.keyboard.press('ArrowDown');
        const second = await page.locator('.row a').nth(1).textContent();
        await page.keyboard.press('Enter');
        await page.getByRole('heading', { level: 1, name: second ?? '?' }).waitFor();
        await page.goBack();
        await page.getByText('90 of 1000 VMs').waitFor();
      }));

    test('who may only look sees why nothing can be set, and is not asked to observe', () =>
      at({ hash: db, hello: { canEdit: false } }, async ({ page, bodies }) => {
        await page.getByText('You may look at this, but not change it').waitFor();
        expect(await page.getByText('You may look').count()).toBe(1);
        expect(await page.getByRole('slider').getAttribute('aria-disabled')).toBe('true');
        expect(await page.getByRole('button', { name: 'Pause' }).isDisabled()).toBe(true);
        expect(bodies(paths.annotation)).toEqual([]);
        expect(await findBarriers(page)).toEqual([]);
      }));

    test('a VM is paused, resumed and brought back to the size it had', () =>
      at({ hash: db }, async ({ page, thumb }) => {
        await page.getByRole('button', { name: 'Pause' }).click();
        await page.getByRole('button', { name: 'Resume' }).click();
        await page.getByRole('button', { name: 'Pause' }).waitFor();
        await page.getByRole('slider').focus();
        await page.keyboard.press('PageUp');
        await page.getByRole('button', { name: 'Plug in 2 modules' }).click();
        await page.getByRole('button', { name: 'Back to 6Gi…' }).click();
        expect(await thumb()).toMatch(/^6Gi: unplug /);
        await page.getByRole('button', { name: /^Take out/ }).click();
        await page.getByText('The guest has 6Gi, as wanted.').first().waitFor();
      }));

    test('a link opens the page once; nothing of it stays in the address, and no name is in a URL', () =>
      at({ hash: db }, async ({ page, console }) => {
        await page.getByRole('slider').waitFor();
        expect(page.url()).toBe(`${console.origin}/${db}`);
        expect(await page.evaluate('Object.keys(localStorage).length + document.cookie.length')).toBe(0);
        await page.reload();
        await page.getByRole('slider').waitFor();
        expect(console.urls.filter((url) => /db-1|default|code/.test(url))).toEqual([]);
        const other = await page.context().newPage();
        await other.goto(console.link());
        await other.getByText('The console says: the link was used already, or is too old.').waitFor();
        expect(await findBarriers(other)).toEqual([]);
        await other.close();
      }));

    test("a VM's history has its events, the newest first", () =>
      at(
        {
          hash: `${db}/history`,
          events: [
            {
              type: 'Normal',
              reason: 'Converged',
              message: 'resized from 4Gi to 6Gi',
              count: 1,
              lastSeen: '2026-11-30T06:00:00Z',
            },
            { type: 'Warning', reason: 'GuestRefused', message: 'refused', count: 3, lastSeen: '2026-11-30T07:00:00Z' },
          ],
        },
        async ({ page }) => {
          await page.getByText('resized from 4Gi to 6Gi').waitFor();
          expect(await page.locator('.timeline strong').allTextContents()).toEqual(['GuestRefused', 'Converged']);
          expect(await findBarriers(page)).toEqual([]);
        },
      ));

    test('a theme that is chosen holds, whatever the system has, until the system is chosen again', () =>
      at({ hash: db, theme: 'dark' }, async ({ page }) => {
        const choice = page.getByLabel('Light or dark');
        const colour = (): Promise<string> =>
          page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
        const [dark, light] = ['rgb(19, 20, 21)', 'rgb(242, 242, 242)'];
        const turns = (to: string): Promise<boolean> =>
          waitFor(async () => (await colour()) === to, { what: to, timeoutMs: 20_000, details: colour });
        await choice.waitFor();
        expect(await colour()).toBe(dark);
        await choice.selectOption('light');
        await turns(light);
        await page.reload();
        await choice.waitFor();
        expect([await choice.inputValue(), await colour()]).toEqual(['light', light]);
        await page.emulateMedia({ colorScheme: 'light' });
        await choice.selectOption('dark');
        await turns(dark);
        await choice.selectOption('system');
        await turns(light);
      }));
  },
  ['browser'],
);

// What the fake server does when nothing else is said is what a controller does.
test('the fake server carries a size out as its plan says', () => {
  const raw = rewritten(settled(), { spec: { ...settled().spec, memory: '4608Mi' } });
  expect((carriedOut(raw).status as { memory: object }).memory).toMatchObject({ current: '4608Mi', plugged: '2560Mi' });
});
