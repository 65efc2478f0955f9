/** What a machine makes once: by one process, however many ask, and never half of it. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeOnce } from '../../lab/made-once.ts';

const directory = mkdtempSync(join(tmpdir(), 'dimmer-made-once-'));
afterAll(() => rmSync(directory, { recursive: true }));
const silent = (): void => undefined;
const fill = (path: string, text: string): void => {
  mkdirSync(path);
  writeFileSync(join(path, 'program'), text);
};

test('is made by one of those that ask at once, and by none that come later', async () => {
  const target = join(directory, 'a', 'once');
  let made = 0;
  const make = async (unfinished: string): Promise<void> => {
    made += 1;
    await Promise.resolve();
    fill(unfinished, `made ${made}`);
  };
  const asked = [1, 2, 3].map(() => makeOnce({ target, what: 'making it', make }, silent));
  await Promise.all(asked);
  await makeOnce({ target, what: 'making it', make }, silent);
  expect([made, readFileSync(join(target, 'program'), 'utf8')]).toEqual([1, 'made 1']);
});

test('what fails leaves nothing, and the next starts anew', async () => {
  const target = join(directory, 'failing');
  const half = (unfinished: string): Promise<void> => {
    fill(unfinished, 'half');
    return Promise.reject(new Error('no space left'));
  };
  await expect(makeOnce({ target, what: 'making it', make: half }, silent)).rejects.toThrow('no space left');
  expect(existsSync(target)).toBe(false);
  const whole = (unfinished: string): Promise<void> => {
    // What the other left is gone.
    fill(unfinished, 'whole');
    return Promise.resolve();
  };
  await makeOnce({ target, what: 'making it', make: whole }, silent);
  expect(readFileSync(join(target, 'program'), 'utf8')).toBe('whole');
});

test('what is there and lacks something is made anew', async () => {
  const target = join(directory, 'lacking');
  mkdirSync(target);
  const isWhole = (): boolean => existsSync(join(target, 'program'));
  const make = (unfinished: string): Promise<void> => {
    fill(unfinished, 'whole');
    return Promise.resolve();
  };
  await makeOnce({ target, what: 'making it', isWhole, make }, silent);
  expect(isWhole()).toBe(true);
});
