/** What a run of the tests has left out, told at its end: nobody must take it for a run of everything. */
import { basename, dirname } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { wrapAt } from '../../src/cmd/help.ts';

/** Tests that were not run, and why. `tests`: how many; null: all of the file, which wasn't even read. */
export type LeftOut = { readonly file: string; readonly tests: number | null; readonly reason: string };

const pattern = /^.* \[left out: (.*)\]$/s;

/** The name of tests that are left out for a reason: the one thing about them that reaches a reporter. */
export const nameLeftOut = (name: string, reason: string): string => `${name} [left out: ${reason}]`;

/**
 * What to say of it, a paragraph a reason, the files by their folder; nothing where nothing was left out. It fits a terminal: a line
 * a file is more than anybody reads. Pure.
 */
export function describeLeftOut(all: readonly LeftOut[]): readonly string[] {
  if (all.length === 0) return [];
  const lines = ['Left out (LAB_STRICT=1 makes it a failure):'];
  for (const [reason, those] of Map.groupBy(all, (each) => each.reason)) {
    lines.push('', ...indented(`${describeAmount(those)}: ${reason}`, 2));
    const files = [...new Set(those.map(({ file }) => file))].toSorted();
    for (const [folder, ofFolder] of Map.groupBy(files, (file) => dirname(file))) {
      const names = ofFolder.map((file) => basename(file, '.test.ts'));
      lines.push(...indented(`${folder}: ${names.join(', ')}`, 4));
    }
  }
  return lines;
}

/** What goes on on a further line stands two blanks deeper. */
function indented(text: string, depth: number): readonly string[] {
  const lines = wrapAt(text, 80 - depth - 2);
  return lines.map((line, index) => ' '.repeat(index === 0 ? depth : depth + 2) + line);
}

/** `19 files, and 37 tests in 7 others`. */
function describeAmount(all: readonly LeftOut[]): string {
  const files = (some: readonly LeftOut[]): number => new Set(some.map(({ file }) => file)).size;
  const whole = files(all.filter(({ tests }) => tests === null));
  const parts = all.filter(({ tests }) => tests !== null);
  const tests = count(
    parts.reduce((total, each) => total + (each.tests ?? 0), 0),
    'test',
  );
  if (whole === 0) return `${tests} in ${count(files(parts), 'file')}`;
  return `${count(whole, 'file')}${parts.length === 0 ? '' : `, and ${tests} in ${count(files(parts), 'other')}`}`;
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;

/** What of a file was left out by name. */
function findLeftOut({ relativeModuleId: file, children }: TestModule): readonly LeftOut[] {
  return [...children.suites()].flatMap((suite): readonly LeftOut[] => {
    const reason = pattern.exec(suite.name)?.[1];
    return reason === undefined ? [] : [{ file, reason, tests: [...suite.children.allTests()].length }];
  });
}

/** Says at the end of a run what it has left out. */
export class LeftOutReporter implements Reporter {
  #whole: readonly LeftOut[];

  /** @param whole files that the project `integration` was not given */
  constructor(whole: readonly LeftOut[] = []) {
    this.#whole = whole;
  }

  onInit({ projects }: Vitest): void {
    if (!projects.some(({ name }) => name === 'integration')) this.#whole = [];
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = describeLeftOut([...this.#whole, ...modules.flatMap(findLeftOut)]);
    if (lines.length > 0) console.log(`\n${lines.join('\n')}\n`);
  }
}
