/**
 * What both programs start with: says in one line what is needed where Node is too old, else loads the program. It is
 * bundled alone, for Node 12 (scripts/build.ts): whoever has an old one must be able to read this much.
 */
import type { Place } from './command-line.ts';
import { requiredNode } from './version.ts';

/** Starts the program; `name` is what it is called, `place` whose resources its commands speak of. */
export function begin(name: string, place: Place): void {
  const fail = (problem: string): void => {
    process.stderr.write(`${name}: ${problem}\n`);
    process.exitCode = 1;
  };
  const { node } = process.versions;
  if (Number.parseInt(node, 10) < requiredNode) {
    const found = `${process.execPath} is version ${node}`;
    fail(`needs Node.js ${requiredNode} or newer, but ${found}: install a newer one, or put it first on the PATH`);
  } else {
    import('./program.ts').then(
      ({ startProgram }) => startProgram(place),
      (error: unknown) => fail(`is not installed whole; install it again: ${String(error).split('\n', 1)[0] ?? ''}`),
    );
  }
}
