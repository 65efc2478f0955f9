/** A person in a browser, real guests at the other end, and the whole product in between. */
import { delimiter, dirname } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LabBrowser, startBrowser } from '../lab/browser.ts';
import { describeLab } from '../lab/describe.ts';
import type { LabGuest } from '../lab/guest-types.ts';
import { startLab } from '../lab/lab.ts';
import { ALL_PARTS } from '../lab/needs.ts';
import { namespace, type Stack, startStack } from '../lab/stack.ts';
import { waitFor } from '../lab/wait.ts';
import { type RunningConsole, startConsole } from '../support/console/running-console.ts';

await describeLab(
  "the console's page, and real guests",
  () => {
    let stack: Stack;
    let lab: LabBrowser;
    let console: RunningConsole;
    let page: Page;

    beforeAll(async () => {
      const started = await startLab({
        controlPlane: {},
        guests: [
          { kind: 'accepting', name: 'willing' },
          { kind: 'refusing', name: 'unwilling' },
        ],
      });
      stack = await startStack(started);
      for (const { name, uuid } of started.guests) {
        await stack.apply(stack.manifest(name, uuid, { memory: '1Gi', growPolicy: 'Whole' }));
      }
      for (const { name } of started.guests) await stack.reaches(name, 'Converged');
      const { adminKubeconfig, kubectlPath, directory } = started.controlPlane;
      const path = [dirname(kubectlPath), process.env['PATH'] ?? ''].join(delimiter);
      const env = { PATH: path, KUBECONFIG: adminKubeconfig, HOME: directory };
      console = await startConsole({ program: 'kubectl-dimmer', args: ['-n', namespace], env });
      lab = await startBrowser();
      page = await lab.browser.newPage({ viewport: { width: 1280, height: 900 } });
      page.setDefaultTimeout(60_000);
      await page.goto(console.link);
      await page.getByText('2 VMs').waitFor();
    });
    afterAll(async () => {
      await lab.close();
      await console.end();
      await stack.stop();
    });

    const open = async (name: string): Promise<LabGuest> => {
      await page.evaluate(`location.hash = '#/vms/${namespace}/${name}'`);
      await page.getByText('The guest has 1Gi, as wanted.').first().waitFor();
      const guest = stack.lab.guests.find((each) => each.name === name);
      if (guest === undefined) throw new Error(`no guest ${name}`);
      return guest;
    };
    const choose = async (size: string): Promise<void> => {
      await page.getByLabel('Memory', { exact: true }).fill(size);
      await page.keyboard.press('Enter');
      await waitFor(
        async () => (await page.getByRole('slider').getAttribute('aria-valuetext'))?.startsWith(`${size}: `),
        {
          ...{ what: `the thumb on ${size}`, timeoutMs: 20_000 },
          details: async () => (await page.locator('#main').textContent()) ?? '',
        },
      );
    };

    it('gets what a person chose on the page, and gives the very set back that was shown', async () => {
      const guest = await open('willing');
      const total = await guest.memTotalKiB();
      const guestHas = (mib: number): Promise<boolean> =>
        waitFor(async () => (await guest.memTotalKiB()) === total + mib * 1024, {
          what: `the guest to have ${mib} MiB more`,
          timeoutMs: 30_000,
        });
      for (const [size, more] of [
        ['1280Mi', 256],
        ['1408Mi', 384],
      ] as const) {
        await choose(size);
        await page.getByRole('button', { name: 'Plug in 1 module' }).click();
        await page.getByText(`The guest has ${size}, as wanted.`).first().waitFor();
        await guestHas(more);
      }
      await choose('1152Mi');
      expect(await page.locator('.slot.slot-goes').count()).toBe(1);
      await page.getByRole('button', { name: 'Take out 1 module' }).click();
      await page.getByText('The guest has 1152Mi, as wanted.').first().waitFor();
      await guestHas(128);
    });

    it('says that a guest refuses, why, and what to do, when it does', async () => {
      await open('unwilling');
      await choose('512Mi');
      await page.getByRole('button', { name: /^Take out/ }).click();
      await page.locator('.vm-head').getByText('GuestRefused').waitFor();
      await page.locator('.slot.slot-refused').first().waitFor();
      await page.getByText('What to do:').waitFor();
      const { spec } = await stack.read('unwilling');
      expect(spec.memory).toBe('512Mi');
    });
  },
  ALL_PARTS.filter((part) => ['control-plane', 'hypervisor', 'browser'].includes(part)),
);
