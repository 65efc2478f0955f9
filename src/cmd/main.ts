#!/usr/bin/env node
/**
 * What `dimmer` starts with: says in one line what is needed where Node is too old for the program, else loads it. It is
 * bundled alone, for Node 12 (scripts/build.ts): whoever has an old one must be able to read this much.
 */
import { requiredNode } from './version.ts';

const fail = (problem: string): void => {
  process.stderr.write(`dimmer: ${problem}\n`);
  process.exitCode = 1;
};

const { node } = process.versions;
if (Number.parseInt(node, 10) < requiredNode) {
  const found = `${process.execPath} is version ${node}`;
  fail(`needs Node.js ${requiredNode} or newer, but ${found}: install a newer one, or put it first on the PATH`);
} else {
  import('./program.ts').then(
    ({ startProgram }) => startProgram(),
    (error: unknown) => fail(`is not installed whole; install it again: ${String(error).split('\n', 1)[0] ?? ''}`),
  );
}
