/** A person before the page with one hand: a mouse, or a keyboard. A story is told once, and done by both. */
import type { Locator, Page } from 'playwright-core';
import { parseQuantity } from '../../../src/memory/quantity.ts';
import { waitFor } from '../../lab/wait.ts';

export const ways = ['mouse', 'keyboard'] as const;

export type Hand = {
  /** Follows a link of this name. */
  readonly follow: (link: string) => Promise<void>;
  /** Presses a button; in the dialog, where one is open. */
  readonly press: (button: string | RegExp) => Promise<void>;
  /** Takes the thumb to a size, by the ways that a slider has; fails where it can't be made to stand there. */
  readonly choose: (size: string) => Promise<void>;
  /** Takes the thumb as far down as it goes. */
  readonly takeLowest: () => Promise<void>;
  /** Picks one of the shrink policies. */
  readonly pick: (policy: string) => Promise<void>;
  /** Writes into a field, over what stands there. */
  readonly write: (field: string, text: string) => Promise<void>;
  /** Is done with what was written. */
  readonly settle: () => Promise<void>;
  /** Picks from a list that opens. */
  readonly select: (list: string, option: string) => Promise<void>;
  /** Goes on to where the page ends. */
  readonly scrollToEnd: () => Promise<void>;
};

/** What a screen reader says of where the thumb stands: the size, and the plan for it. */
export const thumbOf = async (page: Page): Promise<string> =>
  (await page.getByRole('slider').getAttribute('aria-valuetext')) ?? '';

/** Waits for the thumb to stand where that is said of it. */
export const thumbSays = (page: Page, what: RegExp): Promise<boolean> =>
  waitFor(async () => what.test(await thumbOf(page)), {
    what: `the thumb to say ${String(what)}`,
    timeoutMs: 30_000,
    details: async () => `${await thumbOf(page)}\n${(await page.locator('#main').textContent()) ?? ''}`,
  });

export const handOf = (page: Page, way: (typeof ways)[number]): Hand =>
  way === 'mouse' ? mouseOf(page) : keyboardOf(page);

const standsOn = (said: string, size: string): boolean =>
  said.startsWith(`${size}: `) || said.startsWith(`${size} with`);
const bytesOf = (size: string): number => {
  const read = parseQuantity(size);
  if (!read.ok) throw new Error(read.error);
  return read.value;
};
const numberOf = async (slider: Locator, name: string): Promise<number> => Number(await slider.getAttribute(name));

/** Where a button is looked for: a dialog lets nothing else be pressed. */
async function uppermost(page: Page): Promise<Page | Locator> {
  const dialog = page.getByRole('dialog');
  return (await dialog.count()) > 0 ? dialog : page;
}
async function buttonOf(page: Page, name: string | RegExp): Promise<Locator> {
  const button = (await uppermost(page)).getByRole('button', { name, exact: typeof name === 'string' }).first();
  await button.waitFor();
  await waitFor(() => button.isEnabled(), {
    what: `${String(name)} to be possible`,
    timeoutMs: 30_000,
    details: async () => (await page.locator('#main').textContent()) ?? '',
  });
  return button;
}

function mouseOf(page: Page): Hand {
  const slider = page.getByRole('slider');
  const dragTo = async (size: number): Promise<void> => {
    await slider.scrollIntoViewIfNeeded();
    const track = await page.locator('.slider-track').boundingBox();
    const knob = await slider.boundingBox();
    if (track === null || knob === null) throw new Error('no slider');
    const [least, most] = [await numberOf(slider, 'aria-valuemin'), await numberOf(slider, 'aria-valuemax')];
    await page.mouse.move(knob.x + knob.width / 2, knob.y + knob.height / 2);
    await page.mouse.down();
    await page.mouse.move(track.x + (track.width * (size - least)) / (most - least), knob.y + 5, { steps: 6 });
    await page.mouse.up();
  };
  const clickButton = async (name: string | RegExp): Promise<void> => (await buttonOf(page, name)).click();
  return {
    follow: (link) => page.getByRole('link', { name: link, exact: true }).first().click(),
    press: clickButton,
    choose: async (size) => {
      await dragTo(bytesOf(size));
      // A pixel is more than a block: the buttons beside the field do the rest.
      for (let clicks = 0; clicks < 8 && !standsOn(await thumbOf(page), size); clicks += 1) {
        const isBelow = (await numberOf(slider, 'aria-valuenow')) < bytesOf(size);
        await clickButton(isBelow ? 'Next larger size' : 'Next smaller size');
      }
      await thumbSays(page, new RegExp(`^${size}(: | with )`));
    },
    takeLowest: () => dragTo(0),
    pick: (policy) => page.getByRole('radio', { name: policy }).click(),
    write: async (field, text) => {
      await page.getByLabel(field, { exact: true }).click({ clickCount: 3 });
      await page.keyboard.type(text);
    },
    settle: () => page.getByRole('heading', { level: 1 }).click(),
    // What opens is drawn by the system, outside of the page.
    select: async (list, option) => {
      await page.getByLabel(list).selectOption(option);
    },
    scrollToEnd: async () => {
      const size = page.viewportSize() ?? { width: 0, height: 0 };
      await page.mouse.move(size.width / 2, size.height / 2);
      await page.mouse.wheel(0, 1_000_000);
    },
  };
}

/** What has the focus: what it is, and its name. */
const focusScript = `(() => {
  const at = document.activeElement;
  if (at === null || at === document.body) return '';
  const name = at.getAttribute('aria-label') ?? at.labels?.[0]?.textContent ?? at.textContent ?? '';
  const kind = at.getAttribute('role') ?? (at.type === 'radio' ? 'radio' : at.localName);
  return kind + ' ' + name.trim();
})()`;
/** More stops than any page has where a list isn't long. */
const mostTabs = 90;

function keyboardOf(page: Page): Hand {
  const slider = page.getByRole('slider');
  const focused = (): Promise<string> => page.evaluate<string>(focusScript);
  /** Goes on by Tab until what has the focus is that. */
  const tabTo = async (is: (what: string) => boolean, what: string): Promise<void> => {
    const met: string[] = [];
    while (met.length < mostTabs && !is(met.at(-1) ?? '')) {
      await page.keyboard.press('Tab');
      met.push(await focused());
    }
    if (!is(met.at(-1) ?? '')) throw new Error(`no Tab leads to ${what}, only to ${[...new Set(met)].join('; ')}`);
  };
  const toSlider = async (): Promise<void> => {
    if (!(await focused()).startsWith('slider ')) await tabTo((what) => what.startsWith('slider '), 'the slider');
  };
  return {
    follow: async (link) => {
      await page.getByRole('link', { name: link, exact: true }).first().waitFor();
      await tabTo((what) => what === `a ${link}`, link);
      await page.keyboard.press('Enter');
    },
    press: async (button) => {
      await buttonOf(page, button);
      const isIt = (what: string): boolean => {
        const name = what.startsWith('button ') ? what.slice('button '.length) : null;
        return name !== null && (typeof button === 'string' ? name === button : button.test(name));
      };
      if (!isIt(await focused())) await tabTo(isIt, String(button));
      await page.keyboard.press('Enter');
    },
    choose: async (size) => {
      await toSlider();
      for (let presses = 0; presses < 64 && !standsOn(await thumbOf(page), size); presses += 1) {
        const isBelow = (await numberOf(slider, 'aria-valuenow')) < bytesOf(size);
        await page.keyboard.press(isBelow ? 'ArrowRight' : 'ArrowLeft');
      }
      await thumbSays(page, new RegExp(`^${size}(: | with )`));
    },
    takeLowest: async () => {
      await toSlider();
      await page.keyboard.press('Home');
    },
    pick: async (policy) => {
      await tabTo((what) => what.startsWith('radio '), 'the policies');
      for (let presses = 0; presses < 3 && (await focused()) !== `radio ${policy}`; presses += 1)
        await page.keyboard.press('ArrowDown');
    },
    write: async (field, text) => {
      await tabTo((what) => what === `input ${field}`, field);
      await page.keyboard.press('ControlOrMeta+a');
      await page.keyboard.type(text);
    },
    settle: () => page.keyboard.press('Enter'),
    select: async (list, option) => {
      await tabTo((what) => what.startsWith(`select ${list}`), list);
      await page.keyboard.type(option);
    },
    scrollToEnd: () => page.keyboard.press('End'),
  };
}
