/** The page's own files, as the build made them. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export type PageFile = { readonly type: string; readonly body: Buffer };
/** By path, from `/`. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/** What the build makes, beside the program; seen from the source, too. */
const folder = new URL(import.meta.url.endsWith('.ts') ? '../../../dist/console/' : '../console/', import.meta.url);

/** Reads them all: they are few, and nothing else of the disk is ever served. @throws Error where the package isn't whole */
export async function loadPageFiles(): Promise<PageFiles> {
  const files = await filesBelow(fileURLToPath(folder));
  if (!files.has('/index.html')) throw new Error("the console's page is missing: the program is not installed whole");
  return files;
}

async function filesBelow(root: string): Promise<PageFiles> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = new Map<string, PageFile>();
  for (const entry of entries) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(`/${relative(root, path).split(sep).join('/')}`, { type, body: await readFile(path) });
  }
  return files;
}
