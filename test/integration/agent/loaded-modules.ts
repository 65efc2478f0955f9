/** Preloaded into the program (`--import`), which then logs as its last line which of our modules it has loaded. */
import { registerHooks } from 'node:module';

const sources = new URL('../../../src/', import.meta.url).href;
const modules: string[] = [];

registerHooks({
  load(url, context, nextLoad) {
    if (url.startsWith(sources)) modules.push(url.slice(sources.length));
    return nextLoad(url, context);
  },
});
process.on('exit', () => process.stderr.write(`${JSON.stringify({ msg: 'loaded modules', modules })}\n`));
