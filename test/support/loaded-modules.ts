/**
 * Preloaded into the built program (`--import`), which then logs as its last line which of our modules, and which packages, it has
 * loaded: each file of the bundle says in its source map what it was made from.
 */
import { existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const [bundle, sources] = ['dist', 'src'].map((name) => new URL(`../../${name}/`, import.meta.url).href) as [
  string,
  string,
];
const modules = new Set<string>();
const packages = new Set<string>();

registerHooks({
  load(url, context, nextLoad) {
    const map = new URL(`${url}.map`);
    if (url.startsWith(bundle) && existsSync(map)) {
      const made = JSON.parse(readFileSync(map, 'utf8')) as { sources: readonly string[] };
      const paths = made.sources.map((source) => new URL(source, map).href);
      for (const path of paths) {
        if (path.startsWith(sources)) modules.add(path.slice(sources.length));
        const [, name] = /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
        if (name !== undefined) packages.add(name);
      }
    }
    return nextLoad(url, context);
  },
});
process.on('exit', () => {
  const line = { msg: 'loaded modules', modules: [...modules], packages: [...packages] };
  process.stderr.write(`${JSON.stringify(line)}\n`);
});
