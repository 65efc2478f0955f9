/** Every state of the page that a person meets, and how it comes about. */
import type { Page } from 'playwright-core';
import type { EventsAnswer, MemoryAnswer } from '../../../src/console/wire.ts';
import { busy, crowd, hosts, inUse, many, replaceable, settled, stuck } from '../../support/console/scenes.ts';
import type { Visit, VisitOptions } from './page-driver.ts';

/** All ages are counted from here, and the page's clock stands here. */
const clockAt = Date.parse('2026-11-30T08:00:00Z');

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

/** What the server answers to the next sizes; null: as ever. */
let scripted: MemoryAnswer | null = null;

/** What the page is opened with, made anew for each. */
export const opened = (): VisitOptions => ({
  machines: [
    ...[settled, inUse, stuck, many, replaceable].map((scene) => scene(clockAt)),
    ...[busy(clockAt), ...crowd(12, clockAt)],
  ],
  ...{ hosts: hosts(), events, clockAt, width: 1100, height: 940 },
  onMemory: () => scripted,
});

export type State = {
  readonly name: string;
  readonly hash: string;
  readonly shown: string;
  /** Nothing of its own is dark in it. */
  readonly lightOnly?: true;
  /** Default: it is there at once. */
  readonly act?: (visit: Visit) => Promise<void>;
  /** Takes away what another place doesn't. */
  readonly after?: (visit: Visit) => void;
};

const db = '#/vms/default/db-1';
const press = async (page: Page, key: string): Promise<void> => {
  await page.getByRole('slider').focus();
  await page.keyboard.press(key);
};
/** Asks for 7Gi, and is answered. */
const ask = async ({ page }: Visit, answer: MemoryAnswer | null): Promise<void> => {
  scripted = answer;
  await press(page, 'PageUp');
  await page.getByRole('button', { name: 'Plug in 2 modules' }).click();
};
const askAndMeet = async (visit: Visit, answer: MemoryAnswer | null): Promise<void> => {
  await ask(visit, answer);
  await visit.page.getByRole('dialog').waitFor();
};
const asEver = (): void => {
  scripted = null;
};
const writers = [
  { what: 'argocd-controller writes its size' },
  { what: 'Argo CD manages it (argocd.argoproj.io/instance: databases)' },
];
const mayEdit = ({ console }: Visit, canEdit: boolean): void =>
  console.send({
    event: 'hello',
    data: { place: 'cluster', title: 'lab / default', version: '0.0.0', canEdit },
  });

/** In this order: what an act leaves behind, the next one's place takes away, or its own `after`. */
export const states: readonly State[] = [
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
      await page.getByText('5376Mi with Replace').first().waitFor();
    },
  },
  {
    ...{ name: 'vm-with-replace', lightOnly: true as const, hash: db, shown: '[role=slider]' },
    act: async ({ page }) => {
      await page.getByRole('radio', { name: 'Replace' }).click();
      for (const key of ['ArrowDown', 'ArrowDown']) await press(page, key);
      await page.getByText('Plug in 1 module, then take out 1, with Replace').first().waitFor();
    },
  },
  { name: 'vm-256-slots', hash: '#/vms/sap/hana-prod', shown: '.board-dense', act: ({ page }) => press(page, 'Home') },
  { name: 'vm-history', lightOnly: true, hash: `${db}/history`, shown: '.timeline' },
  { name: 'vm-gone', lightOnly: true, hash: '#/vms/default/gone', shown: '.empty' },
  { name: 'no-such-page', lightOnly: true, hash: '#/nowhere', shown: '.empty' },
  { name: 'hosts', hash: '#/hosts', shown: '.shelf' },
];

/** What is told and asked who wants another size, in this order, too. */
export const answers: readonly State[] = [
  {
    ...{ name: 'vm-may-only-look', hash: db, shown: '[role=slider]' },
    act: async (visit) => {
      mayEdit(visit, false);
      await visit.page.locator('.slider.is-disabled').waitFor();
    },
    after: (visit) => mayEdit(visit, true),
  },
  {
    ...{ name: 'vm-refused-by-api-server', hash: db, shown: '[role=slider]', after: asEver },
    act: async (visit) => {
      await ask(visit, {
        outcome: 'refused',
        message:
          'admission webhook "quota.example.com" denied the request: namespace default may have 64Gi of VM memory, and 62Gi are taken: 7Gi for db-1 is 1Gi too much',
      });
      await visit.page.getByText('admission webhook').waitFor();
    },
  },
  {
    ...{ name: 'vm-deleted-meanwhile', hash: db, shown: '[role=slider]', after: asEver },
    act: (visit) => askAndMeet(visit, { outcome: 'changed', item: null }),
  },
  {
    ...{ name: 'vm-owned-elsewhere', hash: db, shown: '[role=slider]' },
    act: async (visit) => {
      const { console, page } = visit;
      console.send({ event: 'resource', data: { item: { object: console.get('default/db-1'), writers } } });
      await page.getByText('Its size is set elsewhere, too').waitFor();
      await askAndMeet(visit, { outcome: 'owned', writers });
    },
    after: ({ console }) => {
      asEver();
      console.send({ event: 'resource', data: { item: { object: console.get('default/db-1'), writers: [] } } });
    },
  },
  {
    ...{ name: 'vm-changed-meanwhile', hash: db, shown: '[role=slider]' },
    act: async (visit) => {
      const { spec, metadata } = visit.console.get('default/db-1');
      Object.assign(spec, { memory: '8Gi' });
      Object.assign(metadata, { resourceVersion: '99999' });
      await askAndMeet(visit, null);
    },
  },
];

const wait = async (page: Page, text: string): Promise<void> => page.getByText(text).first().waitFor();

/** In this order, in a window of its own: where nothing is there, is known, or may be seen. Each begins with what is sent or opened. */
export const emptyStates: readonly (Omit<State, 'hash' | 'shown' | 'after'> & {
  readonly act: (visit: Visit) => Promise<void>;
})[] = [
  {
    name: 'lost',
    act: async ({ page, console }) => {
      console.send({ event: 'connection', data: { state: 'lost', message: 'the API server does not answer' } });
      await wait(page, 'The connection is lost');
    },
  },
  {
    ...{ name: 'hosts-not-seen', lightOnly: true as const },
    act: async ({ page, console }) => {
      console.send({ event: 'connection', data: { state: 'live', message: '' } });
      console.send({ event: 'hosts', data: { items: null } });
      await go(page, '#/hosts', '.empty');
    },
  },
  {
    name: 'no-vms-and-trouble',
    act: async ({ page, console }) => {
      const problems = ['a.yaml: line 7: spec.memory: there is no such size'];
      console.send({ event: 'trouble', data: { problems, note: 'no standalone runs: this is what was last known' } });
      console.send({ event: 'resources', data: { items: [] } });
      await go(page, '#/', '.empty');
    },
  },
  {
    ...{ name: 'forbidden', lightOnly: true as const },
    act: async ({ page, console }) => {
      const message =
        'virtualmachinememories.dimmer.dev is forbidden: User "ann" cannot list resource "virtualmachinememories" in API group "dimmer.dev" in the namespace "default"';
      console.send({ event: 'connection', data: { state: 'forbidden', message } });
      await wait(page, 'You may not look at any VM here');
    },
  },
  {
    ...{ name: 'no-session', lightOnly: true as const },
    act: async ({ page, console }) => {
      await page.goto(`${console.origin}/#code=none`);
      await wait(page, 'The console says');
    },
  },
];

export async function go(page: Page, hash: string, shown: string): Promise<void> {
  // Whatever was chosen or opened there before is over.
  await page.evaluate("location.hash = '#/hosts'");
  await page.getByRole('heading', { level: 1, name: 'Hosts' }).waitFor();
  await page.evaluate(`location.hash = '${hash}'`);
  await page.locator(shown).first().waitFor();
  await page.evaluate('(document.activeElement?.blur(), scrollTo(0, 0))');
}
