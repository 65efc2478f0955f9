/** The console's page over a real API server and a controller at work, with the user's own kubectl and rights. */
import { delimiter, dirname } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gib, mib } from '../../../src/memory/bytes.ts';
import { type LabBrowser, startBrowser } from '../../lab/browser.ts';
import { type RunningConsole, startConsole } from '../../support/console/running-console.ts';
import { type DimmerCluster, eventually, memory, startClusterWithOne, uuid } from './support/dimmer-cluster.ts';
import { type LiveController, startLiveController } from './support/live-controller.ts';

let plane: DimmerCluster;
let controller: LiveController;
let lab: LabBrowser;
let console: RunningConsole;
let page: Page;

const open = async (kubeconfig: string, args: readonly string[] = []): Promise<[RunningConsole, Page]> => {
  const path = [dirname(plane.kubectlPath), process.env['PATH'] ?? ''].join(delimiter);
  const env = { PATH: path, KUBECONFIG: kubeconfig, HOME: plane.directory };
  const running = await startConsole({ program: 'kubectl-dimmer', args, env });
  const shown = await lab.browser.newPage({ viewport: { width: 1280, height: 900 } });
  shown.setDefaultTimeout(30_000);
  await shown.goto(running.link);
  return [running, shown];
};
const stored = async (): Promise<unknown> =>
  ((await plane.get('vmmem', 'db', '-n', 't')) as unknown as { spec: { memory?: string } }).spec.memory;
const ready = (size: string): Promise<void> => page.getByText(`The guest has ${size}, as wanted.`).first().waitFor();

beforeAll(async () => {
  plane = await startClusterWithOne();
  controller = await startLiveController(plane, {
    domains: { hv: [{ uuid, name: 'db-vm', boot: gib(1), slots: 16, maxMemory: gib(8) }] },
  });
  lab = await startBrowser();
  [console, page] = await open(plane.adminKubeconfig);
  await page.evaluate("location.hash = '#/vms/t/db'");
  await ready('2Gi');
});
afterAll(async () => {
  await lab.close();
  await console.end();
  await controller.close();
  await plane.stop();
});

describe("the console's page over a cluster", () => {
  test('by keyboard: a size is chosen, set with the rights of the user, and followed until it is ready', async () => {
    await page.getByRole('slider').focus();
    await page.keyboard.press('PageUp');
    expect(await page.getByRole('slider').getAttribute('aria-valuetext')).toMatch(
      /^3Gi: plug .* to go from 2Gi to 3Gi/,
    );
    const focused = (): Promise<string> => page.evaluate<string>("document.activeElement?.textContent ?? ''");
    for (let tabs = 0; tabs < 8 && !(await focused()).startsWith('Plug in'); tabs += 1)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await ready('3Gi');
    expect(await stored()).toBe('3Gi');
  });

  test('memory that the guest takes while the dialog is open pushes the floor up', async () => {
    controller.host('hv').script.setUsed(uuid, mib(2700));
    await page.getByRole('slider').focus();
    await page.keyboard.press('Home');
    await eventually(
      'the floor above 2600Mi',
      async () => /Below (2[6-9]|3\d)\d\dMi/.test((await page.locator('.bounds').textContent()) ?? ''),
      async () => (await page.locator('.bounds').textContent()) ?? '',
    );
    expect(Number(await page.getByRole('slider').getAttribute('aria-valuenow'))).toBeGreaterThan(mib(2700));
    controller.host('hv').script.setUsed(uuid, mib(100));
    await page.getByRole('button', { name: 'Reset' }).click();
  });

  test('of two who edit at once the second sees both sizes, and what is there stays', async () => {
    await page.getByRole('slider').focus();
    await page.keyboard.press('PageUp');
    await page.route(
      '**/api/resource/memory',
      async (route) => {
        await plane.apply(memory('db', 't', { memory: '2Gi' }));
        await route.continue();
      },
      { times: 1 },
    );
    await page.getByRole('button', { name: /^Plug in/ }).click();
    const dialog = page.getByRole('dialog', { name: 'Somebody has changed it meanwhile' });
    await dialog.waitFor();
    expect(await dialog.locator('dd').allTextContents()).toEqual(['2Gi', '4Gi']);
    await dialog.getByRole('button', { name: 'Leave 2Gi' }).click();
    expect(await stored()).toBe('2Gi');
  });

  test('what Flux manages is set only after the warning; the API server gone, all stays and says how old it is', async () => {
    await plane.kubectlOk(['label', 'vmmem', 'db', '-n', 't', 'kustomize.toolkit.fluxcd.io/name=apps']);
    await page.getByText(/Its size is set elsewhere, too:.*Flux manages it/).waitFor();
    await page.getByRole('slider').focus();
    await page.keyboard.press('PageUp');
    const go = page.locator('.button-go');
    await go.click();
    const dialog = page.getByRole('dialog', { name: 'Somebody else writes its size' });
    await dialog.getByText('Flux manages it').waitFor();
    const before = await stored();
    await dialog.getByRole('button', { name: 'Leave it' }).click();
    expect(await stored()).toBe(before);
    await plane.killApiServer();
    await page.getByText(/The connection is lost: all of this is as it was/).waitFor();
    expect(await go.isDisabled()).toBe(true);
    await plane.restartApiServer();
    await page.locator('.connection-live').waitFor({ timeout: 60_000 });
  });

  test('who has no rights at all is told so, in the words of the API server', async () => {
    await plane.kubectlOk(['create', 'serviceaccount', 'nobody', '-n', 't']);
    const [other, empty] = await open(await plane.createKubeconfigForServiceAccount('t', 'nobody'), ['-n', 't']);
    await empty.getByText('You may not look at any VM here').waitFor();
    await empty
      .getByText(/forbidden/)
      .first()
      .waitFor();
    await empty.close();
    await other.end();
  });
});
