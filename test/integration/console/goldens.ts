/** Pictures of the page that somebody has looked at, and whether it still looks like that. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { compareImages, packImage } from '../../support/console/compare-images.ts';

const folder = join(import.meta.dirname, '../../golden/console');
/** Where what differs is left to be looked at. */
const leftIn = join(tmpdir(), 'dimmer-console-goldens');
/** Of a million: less than a digit that is another. */
export const mostDiffering = 8;

/** Nothing moves, and no cursor blinks. */
export const picture = (page: Page): Promise<Buffer> => page.screenshot({ animations: 'disabled', caret: 'hide' });

/**
 * What is wrong with how the page looks now; null: it looks like the golden of that name. @param desk a blank page, to compare on
 * @param isUpdate makes what is seen the golden, where it differs
 */
export async function judgeLooks(page: Page, desk: Page, name: string, isUpdate: boolean): Promise<string | null> {
  const file = join(folder, `${name}.png`);
  const seen = await picture(page);
  const compared = existsSync(file) ? await compareImages(desk, readFileSync(file), seen) : null;
  if (compared !== null && compared.differing <= mostDiffering) return null;
  if (isUpdate) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, await packImage(desk, seen));
    return null;
  }
  mkdirSync(leftIn, { recursive: true });
  const left = join(leftIn, `${name}.png`);
  writeFileSync(left, compared?.shown ?? seen);
  return compared === null
    ? `${name}: has no golden; it looks like ${left}`
    : `${name}: ${compared.differing} pixels differ, red in ${left}`;
}
