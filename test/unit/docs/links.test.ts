/** Every link in the documents leads somewhere: to a file that is there, and to a heading that it has. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const pages = [
  ...globSync('*.md', { cwd: root }),
  ...globSync('docs/**/*.md', { cwd: root }),
  ...globSync('test/**/*.md', { cwd: root }),
];

/** What code shows isn't linked. */
const proseOf = (page: string): string =>
  readFileSync(join(root, page), 'utf8')
    .replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '')
    .replaceAll(/`[^`\n]*`/g, 'code');

/** As GitHub makes them of headings: lower case, blanks as `-`, of the rest letters, digits, `-` and `_`. */
function anchorsOf(page: string): ReadonlySet<string> {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');
  const seen = new Map<string, number>();
  const anchors = [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const plain = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\- _]/gu, '').replaceAll(' ', '-');
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
  return new Set(anchors);
}

const links = pages.flatMap((page) =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => [page, target] as const),
);

test('the pages have links', () => {
  expect(pages).toContain('README.md');
  expect(links.length).toBeGreaterThan(100);
});

test.each([...new Set(links.map((link) => link.join(' ')))])('%s', (link) => {
  const [page = '', target = ''] = link.split(' ');
  if (target.startsWith('https:')) return;
  expect(target, 'only https leads outside').not.toMatch(/^\w+:/);
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : relative(root, join(root, dirname(page), path));
  expect(existsSync(join(root, file)), `${file} is there`).toBe(true);
  if (anchor === undefined) return;
  expect(statSync(join(root, file)).isFile()).toBe(true);
  expect([...anchorsOf(file)]).toContain(anchor);
});
