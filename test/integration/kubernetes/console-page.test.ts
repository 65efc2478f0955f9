/**
 * Stories at the console's page, over a real API server and a controller at work, with the user's own kubectl and rights: each by
 * mouse and by keyboard.
 */
import { delimiter, dirname } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestMemory } from '../../../src/host/simulated/guest.ts';
import { uuidOfNumber } from '../../../src/host/simulated/numbered-domains.ts';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { pathOf } from '../../lab/api-client.ts';
import { valueOf } from '../../contract/bench.ts';
import { type LabBrowser, startBrowser } from '../../lab/browser.ts';
import { type Hand, handOf, thumbOf, thumbSays, ways } from '../../support/console/hand.ts';
import { type RunningConsole, startConsole } from '../../support/console/running-console.ts';
import { type DimmerCluster, eventually, memory, startClusterWithOne, uuid } from './support/dimmer-cluster.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

let plane: DimmerCluster;
let controller: LiveController;
let lab: LabBrowser;
let console: RunningConsole;
let page: Page;

type Stored = {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly spec: { readonly memory?: string; readonly shrinkPolicy?: string };
};

const start = (kubeconfig: string, args: readonly string[] = []): Promise<RunningConsole> => {
  const path = [dirname(plane.kubectlPath), process.env['PATH'] ?? ''].join(delimiter);
  const env = { PATH: path, KUBECONFIG: kubeconfig, HOME: plane.directory };
  return startConsole({ program: 'kubectl-dimmer', args, env });
};
const newPage = async (link: string): Promise<Page> => {
  const shown = await lab.browser.newPage({ viewport: { width: 1280, height: 900 } });
  shown.setDefaultTimeout(60_000);
  await shown.goto(link);
  return shown;
};
const stored = async (): Promise<Stored> => (await plane.get('vmmem', 'db', '-n', 't')) as unknown as Stored;
const ready = (size: string, on = page): Promise<void> =>
  on.getByText(`The guest has ${size}, as wanted.`).first().waitFor();
const text = async (of: string, on = page): Promise<string> => (await on.locator(of).first().textContent()) ?? '';
/** Another person's size, for the next story to begin with. */
const set = async (size: string, more: object = {}): Promise<void> => {
  await plane.apply(memory('db', 't', { memory: size, ...more }));
  await ready(size);
};
/** Its guest's report has come of what it has now. */
const guestSaysAll = async (): Promise<void> => {
  const host = controller.host('hv');
  const said = async (): Promise<number | undefined> => valueOf(await host.observe(uuid)).guest?.total;
  const has = (): number => guestMemory(host.script.domain(uuid), Date.now()).total;
  await eventually(
    'what the guest says of what it has now',
    async () => (await said()) === has(),
    async () => `it says ${await said()}, and has ${has()}`,
  );
};
const list = "location.hash = '#/'";
const db = "location.hash = '#/vms/t/db'";

beforeAll(async () => {
  plane = await startClusterWithOne('db', { isOwn: true });
  controller = await startLiveController(plane, {
    domains: { hv: [{ uuid, name: 'db-vm', boot: gib(1), slots: 64, maxMemory: gib(8) }] },
  });
  lab = await startBrowser();
  console = await start(plane.adminKubeconfig);
  page = await newPage(console.link);
  await page.evaluate(db);
  await ready('2Gi');
});
afterAll(async () => {
  await lab.close();
  await console.end();
  await controller.close();
  await plane.stop();
});

describe.each(ways)("by %s, at the console's page over a cluster", (way) => {
  let hand: Hand;
  beforeAll(async () => {
    hand = handOf(page, way);
    await set('2Gi', { shrinkPolicy: 'Exact' });
  });

  test('a size is chosen, set with the rights of the user, and followed until it is ready', async () => {
    await page.evaluate(list);
    await hand.follow('db');
    await hand.choose('3Gi');
    expect(await thumbOf(page)).toMatch(/^3Gi: plug .* to go from 2Gi to 3Gi/);
    await hand.press(/^Plug in/);
    await ready('3Gi');
    expect((await stored()).spec.memory).toBe('3Gi');
  });

  test('it is paused and resumed, has its history, and is brought back to the size before', async () => {
    await hand.press('Pause');
    await eventually('the pause', async () => (await stored()).metadata.annotations?.['dimmer.dev/paused'] === 'true');
    await hand.press('Resume');
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    expect((await stored()).metadata.annotations?.['dimmer.dev/paused']).toBeUndefined();
    await hand.follow('History');
    await page.getByText('resized from 2Gi to 3Gi').first().waitFor();
    await page.goBack();
    await hand.press('Back to 2Gi…');
    await thumbSays(page, /^2Gi: unplug /);
    await hand.press(/^Take out/);
    await ready('2Gi');
  });

  test('of two who edit at once the second sees both sizes, and chooses', async () => {
    /** Somebody is quicker, between the press and the server. */
    const beatTo = async (size: string): Promise<void> => {
      await page.route(
        '**/api/resource/memory',
        async (route) => {
          await plane.apply(memory('db', 't', { memory: size }));
          await route.continue();
        },
        { times: 1 },
      );
    };
    const dialog = page.getByRole('dialog', { name: 'Somebody has changed it meanwhile' });
    await hand.choose('4Gi');
    await beatTo('3Gi');
    await hand.press(/^Plug in/);
    await dialog.waitFor();
    expect(await dialog.locator('dd').allTextContents()).toEqual(['3Gi', '4Gi']);
    await hand.press('Leave 3Gi');
    await dialog.waitFor({ state: 'detached' });
    expect((await stored()).spec.memory).toBe('3Gi');
    await ready('3Gi');
    await hand.choose('4Gi');
    await beatTo('2Gi');
    await hand.press(/^Plug in/);
    await hand.press('Set 4Gi all the same');
    await ready('4Gi');
    expect((await stored()).spec.memory).toBe('4Gi');
  });

  test('a size that only a replacement reaches is offered with that word, and set with its policy', async () => {
    await set('1Gi', { growPolicy: 'Whole', shrinkPolicy: 'Exact' });
    // In how many pieces it grows depends on what its guest has said since then.
    await guestSaysAll();
    await set('3Gi', { growPolicy: 'Whole', shrinkPolicy: 'Exact' });
    await hand.write('Memory', '2.1Gi');
    await hand.press('2176Mi with Replace');
    await thumbSays(page, /^2176Mi with Replace: plug 1152Mi, then unplug 2Gi /);
    expect(await text('#way-text')).toContain('its shrinkPolicy, which is Exact, is set with the size and stays');
    expect((await stored()).spec).toMatchObject({ memory: '3Gi', shrinkPolicy: 'Exact' });
    await hand.press('Plug in 1 module, then take out 1, with Replace');
    await ready('2176Mi');
    expect((await stored()).spec).toMatchObject({ memory: '2176Mi', shrinkPolicy: 'Replace' });
    // What was chosen by a word is taken back by a word.
    await hand.pick('Exact');
    await hand.press('Set shrinkPolicy Exact');
    await eventually('the policy', async () => (await stored()).spec.shrinkPolicy === 'Exact');
    await set('4Gi', { shrinkPolicy: 'Exact', growPolicy: 'Divisible' });
  });

  test('what Flux manages is set only after the warning, and then all the same', async () => {
    await plane.kubectlOk(['label', 'vmmem', 'db', '-n', 't', 'kustomize.toolkit.fluxcd.io/name=apps']);
    await page.getByText(/Its size is set elsewhere, too:.*Flux manages it/).waitFor();
    await hand.choose('5Gi');
    await hand.press(/^Plug in/);
    const dialog = page.getByRole('dialog', { name: 'Somebody else writes its size' });
    await dialog.getByText('Flux manages it').waitFor();
    await hand.press('Leave it');
    await dialog.waitFor({ state: 'detached' });
    expect((await stored()).spec.memory).toBe('4Gi');
    await hand.press(/^Plug in/);
    await hand.press('Set 5Gi all the same');
    await ready('5Gi');
    expect((await stored()).spec.memory).toBe('5Gi');
    await plane.kubectlOk(['label', 'vmmem', 'db', '-n', 't', 'kustomize.toolkit.fluxcd.io/name-']);
  });
});

describe('by mouse and by keyboard, side by side, over a cluster', () => {
  /** Of the same console, one for each. */
  let tabs: readonly { readonly tab: Page; readonly hand: Hand }[];
  const both = (act: (tab: Page, hand: Hand) => Promise<void>): Promise<unknown> =>
    Promise.all(tabs.map(({ tab, hand }) => act(tab, hand)));
  beforeAll(async () => {
    await set('3Gi', { shrinkPolicy: 'Exact' });
    const secret = JSON.stringify(await page.evaluate("sessionStorage.getItem('dimmer-console-session')"));
    const other = await newPage(new URL('/', page.url()).href);
    await other.evaluate(`sessionStorage.setItem('dimmer-console-session', ${secret})`);
    await other.reload();
    tabs = [page, other].map((tab, index) => ({ tab, hand: handOf(tab, ways[index] ?? 'mouse') }));
    await both(async (tab) => {
      await tab.evaluate(db);
      await ready('3Gi', tab);
    });
  });

  test('memory that the guest takes while the dialog is open pushes the floor up, and the thumb with it', async () => {
    const { script } = controller.host('hv');
    await both((_, hand) => hand.takeLowest());
    script.setUsed(uuid, mib(2700));
    await both(async (tab) => {
      await eventually(
        'the floor above 2600Mi',
        async () => /Below (2[6-9]|3\d)\d\dMi/.test(await text('.bounds', tab)),
        () => text('.bounds', tab),
      );
      const stands = await tab.getByRole('slider').getAttribute('aria-valuenow');
      expect(Number(stands)).toBeGreaterThan(mib(2700));
    });
    script.setUsed(uuid, mib(100));
    await both((_, hand) => hand.press('Reset'));
  });

  test('the API server gone, all stays and nothing can be set; back, it goes on by itself', async () => {
    await plane.killApiServer();
    await both(async (tab) => {
      await tab.getByText(/The connection is lost: all of this is as it was/).waitFor();
      await tab.getByText('Nothing can be set while the connection is lost.').waitFor();
      await ready('3Gi', tab);
      expect(await tab.locator('.button-go').isDisabled()).toBe(true);
    });
    await expectStill();
    await plane.restartApiServer();
    await both((tab) => tab.locator('.connection-live').waitFor({ timeout: 60_000 }));
    for (const [index, { tab, hand }] of tabs.entries()) {
      const size = ['4Gi', '5Gi'][index] ?? '';
      await hand.choose(size);
      await hand.press(/^Plug in/);
      await ready(size, tab);
    }
  });

  /** The thumb stays where it is, whatever a hand does. */
  async function expectStill(): Promise<void> {
    await both(async (tab) => {
      const before = await thumbOf(tab);
      const knob = await tab.getByRole('slider').boundingBox();
      if (knob === null) throw new Error('no slider');
      await tab.mouse.move(knob.x + 5, knob.y + 5);
      await tab.mouse.down();
      await tab.mouse.move(knob.x + 200, knob.y + 5, { steps: 3 });
      await tab.mouse.up();
      await tab.getByRole('slider').press('Home');
      expect(await thumbOf(tab)).toBe(before);
    });
  }

  test('who may only look sees all and moves nothing; who has no rights is told so in the words of the API server', async () => {
    const ann = await plane.createKubeconfigForUser('ann');
    await plane.kubectlOk(['create', 'rolebinding', 'ann', '-n', 't', '--clusterrole=dimmer-view', '--user=ann']);
    await plane.kubectlOk(['create', 'serviceaccount', 'nobody', '-n', 't']);
    const nobody = await plane.createKubeconfigForServiceAccount('t', 'nobody');
    const consoles = await Promise.all([ann, nobody].map((kubeconfig) => start(kubeconfig, ['-n', 't'])));
    const [looking, empty] = await Promise.all(consoles.map(({ link }) => newPage(link)));
    if (looking === undefined || empty === undefined) throw new Error('no page');
    for (const way of ways) {
      await looking.evaluate(list);
      await handOf(looking, way).follow('db');
      await looking.getByText('You may look at this, but not change it').waitFor();
      await ready('5Gi', looking);
    }
    const before = tabs;
    tabs = [{ tab: looking, hand: handOf(looking, 'mouse') }];
    await expectStill();
    tabs = before;
    for (const name of ['Pause', /^Back to/, 'Next smaller size'])
      expect(await looking.getByRole('button', { name }).isDisabled()).toBe(true);
    await empty.getByText('You may not look at any VM here').waitFor();
    await empty
      .getByText(/forbidden/)
      .first()
      .waitFor();
    await Promise.all([looking.close(), empty.close(), ...consoles.map((one) => one.end())]);
  });

  test('1,000 VMs: all are in the list, found, narrowed and reached; what is linked is shown, and back goes back', async () => {
    // A list that is looked at is drawn anew for each that comes.
    await both((tab) => tab.evaluate("location.hash = '#/nowhere'"));
    const names = Array.from({ length: 999 }, (_, index) => `vm-${String(index).padStart(4, '0')}`);
    const waiting = [...names.entries()];
    const create = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, name] = next;
        // Every tenth asks for a host that isn't there.
        const hostRef = index % 10 === 0 ? { hostRef: { name: 'gone' } } : {};
        const body = memory(name, 't', { virtualMachine: { uuid: uuidOfNumber(index + 1) }, ...hostRef });
        const path = pathOf('vmmem', '', 't').replace(/\/$/, '');
        const { status, text: said } = await plane.api.ask(path, { method: 'POST', body });
        if (status !== 201) throw new Error(`${name}: ${said}`);
      }
    };
    await Promise.all(Array.from({ length: 16 }, create));
    await both(async (tab, hand) => {
      await tab.evaluate(list);
      await tab.getByText(/^1000 VMs$/).waitFor({ timeout: 60_000 });
      expect(await tab.getByRole('row').count()).toBeLessThan(70);
      await hand.scrollToEnd();
      await tab.locator('[aria-rowindex="1001"]').waitFor();
      await tab.evaluate('scrollTo(0, 0)');
      await hand.write('Search', 'vm-0777');
      await tab.getByText('1 of 1000 VMs').waitFor();
      await hand.follow('vm-0777');
      await tab.getByRole('heading', { level: 1, name: 'vm-0777' }).waitFor();
      await tab.reload();
      await tab.getByRole('heading', { level: 1, name: 'vm-0777' }).waitFor();
      await tab.goBack();
      await tab.getByText('1 of 1000 VMs').waitFor();
      await hand.write('Search', 'vm-');
      await hand.select('Reason', 'HostUnknown');
      await tab.getByText('100 of 1000 VMs').waitFor({ timeout: 60_000 });
      expect(tab.url()).toContain('reason=HostUnknown');
    });
  });
});
