/** Golden transcripts: after a change on purpose, `npx vitest run test/golden --update` and read the difference. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { guests } from './stories/guests.ts';
import { limits } from './stories/limits.ts';
import { shapes } from './stories/shapes.ts';
import { workedCases } from './stories/worked-cases.ts';
import { tell } from './story.ts';

const directory = join(import.meta.dirname, 'transcripts');
const stories = [...workedCases, ...guests, ...limits, ...shapes];

const fileOf = (name: string): string => `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.txt`;

test.each(stories)('$name', async (story) => {
  await expect(tell(story)).toMatchFileSnapshot(join(directory, fileOf(story.name)));
});

test('every transcript belongs to a story, and every story has its own', () => {
  expect(readdirSync(directory).sort()).toEqual(stories.map(({ name }) => fileOf(name)).sort());
});
