import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/** Nothing that Chromium does by itself over a network, nor what needs a graphics card. */
const flags = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

export type LabBrowser = { readonly browser: Browser; close(): Promise<void> };

/** Debian's Chromium without a screen. */
export async function startBrowser(): Promise<LabBrowser> {
  const directory = mkdtempSync(join(tmpdir(), 'dimmer-browser-'));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: flags,
    env: { ...process.env, HOME: directory, XDG_CACHE_HOME: directory, XDG_CONFIG_HOME: directory },
    timeout: 120_000,
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
