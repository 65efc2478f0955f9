/** Stories at the console's page over a standalone that runs, down to the manifest, with simulated guests: by mouse and by keyboard. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LabBrowser, startBrowser } from '../../lab/browser.ts';
import { describeLab } from '../../lab/describe.ts';
import { waitFor } from '../../lab/wait.ts';
import { builtMain } from '../../support/built-program.ts';
import { openToOthers, reachedByOthers, serverCertificate } from '../../support/console/certificate.ts';
import { type Hand, handOf, thumbOf, ways } from '../../support/console/hand.ts';
import { type RunningConsole, startConsole } from '../../support/console/running-console.ts';

const manifest = (name: string, digit: number, memory: string): string => `# whose words these are must not matter
apiVersion: dimmer.dev/v1alpha1
kind: VirtualMachineMemory
metadata:
  name: ${name}
spec:
  virtualMachine:
    uuid: 00000000-0000-4000-8000-0000000000d${digit}
  memory: ${memory} # as agreed with Ida
`;

await describeLab(
  "the console's page over a standalone",
  () => {
    const root = mkdtempSync(join(tmpdir(), 'dimmer-console-page-'));
    const file = (name: string): string => join(root, 'vms', `${name}.yaml`);
    let standalone: ChildProcess;
    let lab: LabBrowser;
    let console: RunningConsole;
    let page: Page;
    const complaints: string[] = [];

    beforeAll(async () => {
      mkdirSync(join(root, 'vms'));
      writeFileSync(file('web'), manifest('web', 1, '1408Mi'));
      writeFileSync(file('cache'), manifest('cache', 3, '4Gi'));
      const driver = ['--driver', 'simulated', '--simulated-vms', 'demo'];
      const places = ['--manifests', join(root, 'vms'), '--state-dir', join(root, 'state')];
      let log = '';
      const child = spawn(process.execPath, [builtMain, 'standalone', ...places, ...driver], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
      standalone = child;
      await waitFor(() => log.includes('standalone is ready'), {
        ...{ what: 'the standalone', timeoutMs: 30_000 },
        details: () => log,
      });
      console = await startConsole({ program: 'main', args: ['--state-dir', join(root, 'state')] });
      lab = await startBrowser();
      page = await lab.browser.newPage({ viewport: { width: 1280, height: 900 } });
      page.setDefaultTimeout(30_000);
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      await page.goto(console.link);
      await page.getByText('2 VMs').waitFor();
    });
    afterAll(async () => {
      await lab.close();
      await console.end();
      standalone.kill();
      if (standalone.exitCode === null && standalone.signalCode === null) await once(standalone, 'exit');
      rmSync(root, { recursive: true, force: true });
    });

    describe.each(ways)('by %s', (way) => {
      let hand: Hand;
      beforeAll(() => {
        hand = handOf(page, way);
      });
      const ready = (size: string): Promise<void> =>
        page.getByText(`The guest has ${size}, as wanted.`).first().waitFor();
      const written = (): string => readFileSync(file('web'), 'utf8');

      test('a size is set in the manifest, whose comments and order stay, and the guest follows', async () => {
        await page.evaluate("location.hash = '#/'");
        await hand.follow('web');
        await ready('1408Mi');
        await hand.choose('2432Mi');
        expect(await thumbOf(page)).toMatch(/^2432Mi: plug .* to go from 1408Mi to 2432Mi/);
        await hand.press(/^Plug in/);
        await ready('2432Mi');
        expect(written()).toBe(manifest('web', 1, '2432Mi'));
        await hand.follow('History');
        await page.getByText('resized from 1408Mi to 2432Mi').first().waitFor();
        await page.goBack();
        await hand.press('Back to 1408Mi…');
        await hand.press(/^Take out/);
        await ready('1408Mi');
        expect(written()).toBe(manifest('web', 1, '1408Mi'));
        expect(complaints).toEqual([]);
      });

      test('a manifest that somebody edits meanwhile is not written over: both sizes are shown', async () => {
        await page.evaluate("location.hash = '#/vms/default/web'");
        await hand.choose('2432Mi');
        // Between the press and the server: whoever edits is quicker than the watch.
        await page.route(
          '**/api/resource/memory',
          async (route) => {
            writeFileSync(file('web'), manifest('web', 1, '1664Mi'));
            await route.continue();
          },
          { times: 1 },
        );
        await hand.press(/^Plug in/);
        const dialog = page.getByRole('dialog');
        await dialog.waitFor();
        expect(await dialog.textContent()).toMatch(/1664Mi|changed/);
        await hand.press(/^Leave /);
        expect(written()).toBe(manifest('web', 1, '1664Mi'));
        await ready('1664Mi');
        writeFileSync(file('web'), manifest('web', 1, '1408Mi'));
        await ready('1408Mi');
      });
    });

    test('opened to others, it is the same page over TLS: the link once, the stream, a size by a dry run and set', async () => {
      const certificate = serverCertificate(root, 'open', [{ kind: 'IP', value: reachedByOthers }]);
      const args = ['--state-dir', join(root, 'state'), ...openToOthers(certificate)];
      const open = await startConsole({ program: 'main', args });
      // Whether a browser takes the certificate is the business of whoever made it.
      const context = await lab.browser.newContext({ ignoreHTTPSErrors: true });
      const other = await context.newPage();
      other.setDefaultTimeout(30_000);
      try {
        expect(open.link).toMatch(new RegExp(`^https://${reachedByOthers.replaceAll('.', '\\.')}:`));
        await other.goto(open.link);
        await other.locator('.connection-live').waitFor();
        await other.evaluate("location.hash = '#/vms/default/web'");
        await other.getByRole('slider').focus();
        await other.keyboard.press('ArrowUp');
        await other.getByRole('button', { name: /^Plug in/ }).click();
        await other.getByText(/ is set \(/).waitFor();
        const again = await context.newPage();
        await again.goto(open.link);
        await again.getByText('The console says: this link was used before').waitFor();
      } finally {
        await context.close();
        await open.end();
      }
    });

    test('what the guest uses is the floor: the thumb does not cross it', async () => {
      await page.evaluate("location.hash = '#/vms/default/cache'");
      await page.getByText('The guest has 4Gi, as wanted.').first().waitFor();
      await page.getByRole('slider').focus();
      await page.keyboard.press('Home');
      expect(await page.locator('.bounds-floor').textContent()).toContain('the guest would lose memory that it uses');
      const stands = Number(await page.getByRole('slider').getAttribute('aria-valuenow'));
      expect(stands).toBeGreaterThan(3 * 2 ** 30);
    });
  },
  ['browser'],
);
