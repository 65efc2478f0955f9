/** What a run of the tests has left out, told at its end: nobody must take it for a run of everything. */
import type { Reporter, TestModule, Vitest } from 'vitest/node';

/** Tests that were not run, and why. `tests`: how many; null: all of the file, which wasn't even read. */
export type LeftOut = { readonly file: string; readonly tests: number | null; readonly reason: string };

const pattern = /^.* \[left out: (.*)\]$/s;

/** The name of tests that are left out for a reason: the one thing about them that reaches a reporter. */
export const nameLeftOut = (name: string, reason: string): string => `${name} [left out: ${reason}]`;

/** What to say of it; nothing where nothing was left out. Pure. */
export function describeLeftOut(all: readonly LeftOut[]): readonly string[] {
  if (all.length === 0) return [];
  const lines = ['Left out (LAB_STRICT=1 makes it a failure):'];
  for (const [reason, those] of Map.groupBy(all, (each) => each.reason)) {
    const files = Map.groupBy(those, ({ file }) => file);
    const isWhole = those.some(({ tests }) => tests === null);
    const what = isWhole ? '' : `${count(sum(those), 'test')} in `;
    lines.push('', `  ${what}${count(files.size, 'file')}: ${reason}`);
    for (const [file, ofFile] of files) lines.push(`    ${file} (${sum(ofFile) === 0 ? 'all' : sum(ofFile)})`);
  }
  return lines;
}

const sum = (all: readonly LeftOut[]): number => all.reduce((total, { tests }) => total + (tests ?? 0), 0);
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
