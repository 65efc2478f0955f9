/** What the documents say of the code's rooms and files is so: the import rules are those of the table, and what is named is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

type Rule = { readonly name: string; readonly to: { readonly pathNot?: string } };
const { forbidden } = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs')) as {
  readonly forbidden: readonly Rule[];
};

/** The rooms that each room may import, itself left out; null: there is no rule. */
function ruleOf(room: string): readonly string[] | null {
  const rule = forbidden.find(({ name }) => name === `room-${room}`);
  const [, rooms] = /^\^src\/\(([^)]*)\)\/$/.exec(rule?.to.pathNot ?? '') ?? [];
  return rooms === undefined ? null : rooms.split('|').filter((each) => each !== room);
}

const rows = [...read('docs/architecture.md').matchAll(/^\| `src\/([a-z]+)` *\|.*\| *([^|]*?) *\|$/gm)].map(
  ([, room = '', may = '']) => [room, may] as const,
);

test('each room of the source has its row, and each row its room', () => {
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(rows.map(([room]) => room).toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
});

test.each(rows)('src/%s may import %s, and so say the import rules', (room, may) => {
  const expected = may === 'everything' ? null : may === 'nothing' ? [] : may.split(', ');
  expect(ruleOf(room)?.toSorted() ?? null).toEqual(expected?.toSorted() ?? null);
});

test.each(['docs/architecture.md', 'docs/development.md'])(
  'every file and folder that %s names is there',
  (document) => {
    const named = [...read(document).matchAll(/`((?:src|test|scripts|deploy|crds|docs)\/[\w./-]+)`/g)];
    expect(named.length).toBeGreaterThan(5);
    expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  },
);
