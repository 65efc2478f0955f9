/** A person before the console's page: opens its link, and looks. */
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { type LabBrowser, startBrowser } from '../../lab/browser.ts';
import { type FakeConsole, type FakeOptions, startFakeConsole } from '../../support/console/fake-server.ts';

/** What `npm run build` makes. */
const pageDirectory = join(import.meta.dirname, '../../../dist/console');

export type Visit = {
  readonly page: Page;
  readonly console: FakeConsole;
  /** What the browser complained of: a policy that was broken, an error nobody caught. */
  readonly complaints: readonly string[];
  /** The thumb's place, in words as a screen reader has them. */
  readonly thumb: () => Promise<string>;
  /** What is read out of the requests of a path, the oldest first. */
  readonly bodies: (path: string) => readonly Record<string, unknown>[];
  readonly close: () => Promise<void>;
};

export type VisitOptions = Partial<FakeOptions> & {
  readonly hash?: string;
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  /** Where the page's clock stands still, epoch milliseconds; as ever: it goes. */
  readonly clockAt?: number;
};

async function visit(browser: Browser, options: VisitOptions): Promise<Visit> {
  const { hash, theme = 'light', width = 1280, height = 900 } = options;
  const console = await startFakeConsole({ directory: pageDirectory, ...options });
  const context: BrowserContext = await browser.newContext({
    ...{ viewport: { width, height }, colorScheme: theme },
    ...{ locale: 'en-GB', timezoneId: 'UTC' },
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  if (options.clockAt !== undefined) await page.clock.setFixedTime(options.clockAt);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  await page.goto(console.link());
  await page.locator('#main').waitFor();
  if (hash !== undefined) await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  return {
    page,
    console,
    complaints,
    thumb: async () => (await page.getByRole('slider').getAttribute('aria-valuetext')) ?? '',
    bodies: (path) =>
      console.requests.filter((request) => request.path === path).map(({ body }) => body as Record<string, unknown>),
    close: async () => {
      await context.close();
      await console.close();
    },
  };
}

/** Opens a page, lets `act` do what is to be done before it, and fails where the browser complained meanwhile. */
export type Visiting = (options: VisitOptions, act: (visit: Visit) => Promise<void>) => Promise<void>;

/** Of one `describe`: a browser for all of its pages. `common`: what they have where a test says nothing else, made anew for each. */
export function visitEach(common: () => VisitOptions): Visiting {
  let lab: LabBrowser;
  beforeAll(async () => {
    lab = await startBrowser();
  });
  afterAll(() => lab.close());
  return async (options, act) => {
    const visited = await visit(lab.browser, { ...common(), ...options });
    try {
      await act(visited);
      expect(visited.complaints).toEqual([]);
    } finally {
      await visited.close();
    }
  };
}

type Finding = {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly string[] }[];
};

/** What axe finds wrong with what is shown now, one line each. `rules`: of these only; none: of all. */
export async function findBarriers(page: Page, rules: readonly string[] = []): Promise<readonly string[]> {
  // Through the debugger, not the page: its policy lets no script in.
  if ((await page.evaluate('typeof axe')) === 'undefined') await page.evaluate(axe.source);
  const only = rules.length === 0 ? '' : `, runOnly: ${JSON.stringify(rules)}`;
  const { violations } = await page.evaluate<{ violations: readonly Finding[] }>(
    `axe.run(document, { resultTypes: ['violations']${only} }).then(({ violations }) => ({ violations }))`,
  );
  return violations.map(
    ({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target }) => target.join(' ')).join(', ')})`,
  );
}
